"""Keys are taken or refused with what is wrong, and the record to publish is the one that signatures are checked with."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat

from pipeline.domain import ConfigurationError
from pipeline.send.dkim import DkimKey, DkimKeys
from pipeline.send.dkim_keys import dkim_keys, public, publishes, record, record_name, zone_line
from tests.send.signers import DOMAIN, OPEN, ed25519, passes, pem, rsa, signers
from tests.send.test_dkim import LETTER, sent

RSA, ED25519 = "s2026", "e2026"


def loaded(**changes: str) -> DkimKeys | None:
    values = {
        "domain": DOMAIN,
        "rsa_selector": RSA,
        "rsa_key": pem(rsa()),
        "ed25519_selector": ED25519,
        "ed25519_key": pem(ed25519()),
    }
    return dkim_keys(**(values | changes))


def test_both_keys_are_read_and_rsa_comes_first() -> None:
    keys = loaded()
    assert keys is not None
    assert (keys.domain, [(key.selector, key.algorithm) for key in keys.keys]) == (
        DOMAIN,
        [(RSA, "rsa-sha256"), (ED25519, "ed25519-sha256")],
    )
    assert passes(sent(LETTER, keys), signers()) == [True, True]


def test_one_key_is_enough_and_nothing_said_is_no_signing() -> None:
    alone = loaded(ed25519_selector="", ed25519_key="")
    assert alone is not None
    assert [key.selector for key in alone.keys] == [RSA]
    alone = loaded(rsa_selector="", rsa_key=" \n")
    assert alone is not None
    assert [key.selector for key in alone.keys] == [ED25519]
    assert dkim_keys("", "", "", "", "") is None


def test_names_are_compared_without_capitals() -> None:
    keys = loaded(domain="Agency.EXAMPLE", rsa_selector="S2026")
    assert keys is not None
    assert (keys.domain, keys.keys[0].selector) == (DOMAIN, RSA)


def test_a_key_in_the_older_pem_form_and_with_lines_around_it_is_read() -> None:
    older = rsa().private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, OPEN).decode()
    keys = loaded(rsa_key=f"\n{older}\n\n")
    assert keys is not None
    assert public(keys.keys[0]) == public(signers("rsa").keys[0])


def published() -> str:
    half = rsa().public_key()
    return half.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def curve() -> str:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, OPEN).decode()


WRONG: dict[str, tuple[Callable[[], dict[str, str]], str]] = {
    "no domain": (lambda: {"domain": ""}, "mail.dkim.domain is not a domain name"),
    "a domain of one label": (lambda: {"domain": "agency"}, "mail.dkim.domain is not a domain name"),
    "a domain of other letters": (lambda: {"domain": "agencé.example"}, "mail.dkim.domain is not a domain name"),
    "a domain with a line break": (lambda: {"domain": "a.example\r\nx"}, "mail.dkim.domain is not a domain name"),
    "a domain with a line's end": (lambda: {"domain": "a.example\n"}, "mail.dkim.domain is not a domain name"),
    "a domain alone": (
        lambda: dict.fromkeys(("rsa_selector", "rsa_key", "ed25519_selector", "ed25519_key"), ""),
        "mail.dkim.domain is set, and there is no key",
    ),
    "a selector without its key": (lambda: {"rsa_key": ""}, "has no dkim_rsa_key"),
    "a key without its selector": (lambda: {"ed25519_selector": ""}, "mail.dkim.ed25519_selector is not set"),
    "a selector that is none": (lambda: {"rsa_selector": "s_1"}, "mail.dkim.rsa_selector cannot be used"),
    "a selector that ends a tag": (lambda: {"rsa_selector": "s; d=isp.example"}, "mail.dkim.rsa_selector cannot be"),
    "a selector that is too long": (lambda: {"rsa_selector": "a." * 32 + "a"}, "mail.dkim.rsa_selector cannot be used"),
    "one selector for both": (lambda: {"ed25519_selector": RSA}, "two DKIM keys have one selector"),
    "no PEM": (lambda: {"rsa_key": "MIIE"}, "dkim_rsa_key is not a private key in PEM"),
    "a damaged PEM": (lambda: {"rsa_key": pem(rsa())[:-300]}, "dkim_rsa_key is not a private key in PEM"),
    "the public half": (lambda: {"rsa_key": published()}, "dkim_rsa_key is not a private key in PEM"),
    "a passphrase": (lambda: {"rsa_key": pem(rsa(), b"secret")}, "dkim_rsa_key is protected by a passphrase"),
    "a short key": (lambda: {"rsa_key": pem(rsa(1024))}, "dkim_rsa_key has 1024 bits"),
    "keys changed about": (
        lambda: {"rsa_key": pem(ed25519()), "ed25519_key": pem(rsa())},
        "dkim_rsa_key is a key of another kind",
    ),
    "RSA for Ed25519": (lambda: {"ed25519_key": pem(rsa())}, "dkim_ed25519_key is a key of another kind"),
    "a curve of another kind": (lambda: {"rsa_key": curve()}, "dkim_rsa_key is a key of another kind"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_sign_is_refused_with_a_way_out_and_never_quoted(case: str) -> None:
    changes, expected = WRONG[case]
    with pytest.raises(ConfigurationError, match=expected) as refused:
        loaded(**changes())
    error = refused.value
    assert error.next_step
    assert "MII" not in error.what + error.why + error.next_step


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_the_record_is_what_a_verifier_needs(kind: str) -> None:
    [key] = signers(kind).keys
    assert record_name(key, DOMAIN) == f"{key.selector}._domainkey.agency.example"
    assert record(key).startswith(f"v=DKIM1; k={kind}; p=")
    assert publishes(record(key), key)


def test_a_line_of_a_zone_file_has_the_whole_record_in_pieces_that_fit() -> None:
    for key in signers().keys:
        name, _, rest = zone_line(key, DOMAIN).partition(" IN TXT ")
        pieces = rest[1:-1].split('" "')
        assert name == f"{key.selector}._domainkey.agency.example."
        assert "".join(pieces) == record(key)
        assert all(len(piece) <= 255 for piece in pieces)
        assert len(pieces) == (2 if key.selector == RSA else 1)


def rsa_key() -> DkimKey:
    return signers("rsa").keys[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p={p}", True),
        ("v=DKIM1; p={p}", True),
        ("v=DKIM1;k=rsa;h=sha1:sha256;s=email;t=y;n=note;p={p};", True),
        ("v=DKIM1; k=rsa; p={half} {rest}", True),
        ("v=DKIM1; k=rsa; s=*; p={p}", True),
        ("v=DKIM2; p={p}", False),
        ("v=DKIM1; k=ed25519; p={p}", False),
        ("v=DKIM1; k=rsa; p=", False),  # revoked
        ("v=DKIM1; k=rsa", False),
        ("v=DKIM1; k=rsa; h=sha1; p={p}", False),
        ("v=DKIM1; k=rsa; s=tlsrpt; p={p}", False),
        ("v=DKIM1; k=rsa; p={half}", False),
        ("v=spf1 -all", False),
        ("", False),
        (";;=;p", False),
    ],
)
def test_a_record_counts_only_if_receivers_can_check_with_it(text: str, expected: bool) -> None:
    p = public(rsa_key())
    assert publishes(text.format(p=p, half=p[:200], rest=p[200:]), rsa_key()) is expected
    assert not publishes(text.format(p=p, half=p[:200], rest=p[200:]), signers("ed25519").keys[0])


def test_a_key_shows_nothing_of_itself() -> None:
    assert "private" not in repr(signers())
