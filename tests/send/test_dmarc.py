"""What a DMARC record says, as RFC 7489 has it."""

import pytest

from pipeline.send.dmarc import Dmarc, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=DMARC1; p=reject; rua=mailto:d@agency.example", Dmarc(policy="reject", reports=True)),
        ("v=DMARC1;p=Quarantine;aspf=s;adkim=S", Dmarc(policy="quarantine", strict_spf=True, strict_dkim=True)),
        ("v = DMARC1 ; p = none ;", Dmarc(policy="none")),
        ("v=DMARC1; rua=mailto:d@agency.example", Dmarc("policy", reports=True)),
        ("v=DMARC1; p=all", Dmarc("policy")),
        ("v=DMARC1; p=none; p=reject", Dmarc(policy="none")),
        ("p=reject; v=DMARC1", Dmarc("none")),
        ("v=DMARC2; p=reject", Dmarc("none")),
        ("v=spf1 -all", Dmarc("none")),
        ("", Dmarc("none")),
        (";" * 5_000, Dmarc("none")),
    ],
)
def test_a_record_is_read_tag_by_tag_and_the_version_comes_first(text: str, expected: Dmarc) -> None:
    assert read([text]) == expected


def test_more_than_one_record_is_none_and_other_texts_do_not_count() -> None:
    assert read(["v=DMARC1; p=reject", "v=DMARC1; p=none"]).fault == "many"
    assert read(["hello", "v=DMARC1; p=reject"]).policy == "reject"
    assert read([]).fault == "none"


def test_below_a_registered_domain_its_policy_for_subdomains_counts() -> None:
    text = "v=DMARC1; p=reject; sp=none"
    assert (read([text]).policy, read([text], above=True).policy) == ("reject", "none")
    assert read(["v=DMARC1; p=reject"], above=True).policy == "reject"
