"""What SPF says of our addresses, as RFC 7208 has it: one record, ten look-ups, the first match decides."""

from ipaddress import ip_address

import pytest

from pipeline.send.spf import Kind, Question, Spf, weigh

OURS = "192.0.2.25"
TXT, ADDRESSES, MAIL = Kind.TXT, Kind.ADDRESSES, Kind.MAIL


def judged(known: dict[Question, tuple[str, ...] | None], *addresses: str) -> Spf:
    """As `doctor dns` asks: what is not in `known` is not in the DNS."""
    answers = dict(known)
    ours = [ip_address(a) for a in addresses or (OURS,)]
    for _ in range(40):
        found = weigh("agency.example", ours, answers)
        if not found.wanted:
            return found
        answers |= dict.fromkeys(found.wanted, ())
    raise AssertionError(found.wanted)


def one(record: str, **more: object) -> Spf:
    return judged({(TXT, "agency.example"): (record,)}, *more)


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 ip4:192.0.2.25 -all", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass"),
        ("V=SPF1 IP4:192.0.2.25 -ALL", "pass"),
        ("v=spf1 ip4:192.0.2.128/25 -all", "fail"),
        ("v=spf1 ip4:198.51.100.1 ~all", "softfail"),
        ("v=spf1 ip4:198.51.100.1 ?all", "neutral"),
        ("v=spf1 ip4:198.51.100.1", "neutral"),
        ("v=spf1 -ip4:192.0.2.25 ip4:192.0.2.0/24 -all", "fail"),
        ("v=spf1 a -all", "pass"),
        ("v=spf1 a:other.example -all", "fail"),
        ("v=spf1 a:other.example/24 -all", "pass"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 include:in.example -all", "pass"),
        ("v=spf1 include:out.example -all", "fail"),
        ("v=spf1 redirect=in.example", "pass"),
        ("v=spf1 -all redirect=in.example", "fail"),
        ("v=spf1 exists:%{i}.list.example -all", "fail"),
        ("v=spf1", "neutral"),
    ],
)
def test_the_first_term_that_matches_decides(record: str, result: str) -> None:
    found = judged(
        {
            (TXT, "agency.example"): (record, "v=spf10 other", "google-site=x"),
            (ADDRESSES, "agency.example"): (OURS,),
            (ADDRESSES, "other.example"): ("192.0.2.99",),
            (MAIL, "agency.example"): ("mx.agency.example",),
            (ADDRESSES, "mx.agency.example"): ("2001:db8::1", OURS),
            (TXT, "in.example"): ("v=spf1 ip4:192.0.2.0/24 -all",),
            (TXT, "out.example"): ("v=spf1 ip4:203.0.113.0/24 ~all",),
        }
    )
    assert (found.results[OURS], found.fault) == (result, "")


def test_addresses_of_both_kinds_are_judged_each_by_itself() -> None:
    record = "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/32 a:both.example/24//64 -all"
    known = {(TXT, "agency.example"): (record,), (ADDRESSES, "both.example"): ("198.51.100.7", "2001:db8:1::1")}
    found = judged(known, OURS, "2001:db8::25", "198.51.100.9", "203.0.113.1")
    assert list(found.results.values()) == ["pass", "pass", "pass", "fail"]


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ((), "none"),
        (("v=spf2 all",), "none"),
        (("v=spf1 -all", "v=spf1 ip4:192.0.2.25 -all"), "many"),
        (("v=spf1 ip4:192.0.2.25 +all",), "all"),
        (("v=spf1 all",), "all"),
        (("v=spf1 ip4:192.0.2.25 -al",), "syntax"),
        (("v=spf1 ip4:agency.example -all",), "syntax"),
        (("v=spf1 ip4:192.0.2.0/33 -all",), "syntax"),
        (("v=spf1 include: -all",), "syntax"),
        (("v=spf1 a:/x -all",), "syntax"),
        (("v=spf1 ip6:192.0.2.1 -all",), "syntax"),
        (("v=spf1 include:nowhere.example -all",), "nowhere"),
        (("v=spf1 include:agency.example -all",), "loop"),
        (("v=spf1 " + " ".join(f"a:h{n}.example" for n in range(11)) + " -all",), "lookups"),
    ],
)
def test_a_record_that_receivers_cannot_use_is_named(texts: tuple[str, ...], fault: str) -> None:
    assert judged({(TXT, "agency.example"): texts}).fault == fault


def test_ten_look_ups_are_allowed_and_count_over_all_that_a_record_leads_to() -> None:
    def chain(length: int) -> Spf:
        known: dict[Question, tuple[str, ...] | None] = {
            (TXT, f"n{n}.example"): (f"v=spf1 include:n{n + 1}.example -all",) for n in range(length - 1)
        }
        known[TXT, "agency.example"] = ("v=spf1 include:n0.example -all",)
        known[TXT, f"n{length - 1}.example"] = ("v=spf1 ip4:192.0.2.25 -all",)
        return judged(known)

    assert (chain(10).lookups, chain(10).fault, chain(10).results[OURS]) == (10, "", "pass")
    assert (chain(11).lookups, chain(11).fault) == (11, "lookups")


def test_all_is_refused_in_an_included_record_as_well() -> None:
    known = {(TXT, "agency.example"): ("v=spf1 include:in.example -all",), (TXT, "in.example"): ("v=spf1 +all",)}
    assert (judged(known).fault, judged(known).at) == ("all", "in.example")  # type: ignore[arg-type]


def test_what_the_dns_cannot_say_is_unknown_and_no_fault_of_the_record() -> None:
    assert judged({(TXT, "agency.example"): None}).fault == "unknown"
    known = {(TXT, "agency.example"): ("v=spf1 include:in.example -all",), (TXT, "in.example"): None}
    found = judged(known)  # type: ignore[arg-type]
    assert (found.fault, found.results[OURS]) == ("unknown", "unknown")


@pytest.mark.parametrize(
    "text", ["v=spf1 " + "a " * 5_000, "v=spf1 " + "/" * 900, "v=spf1 ip4:" + "9" * 900, "v=spf1 \x00 ::"]
)
def test_no_record_makes_it_raise(text: str) -> None:
    one(text)


def test_a_tree_of_records_that_name_each_other_ends_soon() -> None:
    record = "v=spf1 " + " ".join(f"include:n{n}.example" for n in range(10))
    known: dict[Question, tuple[str, ...] | None] = {(TXT, f"n{n}.example"): (record,) for n in range(10)}
    known[TXT, "agency.example"] = (record,)
    found = judged(known)
    assert found.fault in ("loop", "lookups")
    assert found.lookups < 40
