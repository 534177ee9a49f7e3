"""Tables: columns by name, records by RFC 4180, and no row that a stranger's text could have smuggled in."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from pipeline.domain import Observation, Reject
from pipeline.ingest.rejects import Reason
from tests.ingest.written import read

COLUMNS = {"address": "ip", "port": "port", "claim": "type", "observed_at": "seen", "confidence": "trust"}
WORDS = {"http_proxy": "http_proxy", "Open Relay": "open_relay", "spam": "reputation"}


def reasons(found: list[Observation | Reject]) -> list[tuple[int, str]]:
    return [(row.line, row.reason if isinstance(row, Reject) else row.claim) for row in found]


def test_a_row_becomes_an_observation_with_everything_it_says() -> None:
    text = "ip,port,type,seen,trust\n192.0.2.1,8080,http_proxy,2026-02-28 10:00:00,40"
    [row] = read("csv", text, columns=COLUMNS, claims=WORDS)
    assert row == Observation(
        line=2,
        address=ip_address("192.0.2.1"),
        port=8080,
        transport="tcp",
        service="http",
        claim="http_proxy",
        observed_at=datetime(2026, 2, 28, 10, tzinfo=UTC),
        confidence=40,
        raw=b"192.0.2.1,8080,http_proxy,2026-02-28 10:00:00,40",
    )


@pytest.mark.parametrize(
    "header", ["ip,port,type,seen,trust", "trust,seen,IP , Port,type,more", "type,seen,x,y,port,ip,trust"]
)
def test_columns_are_found_by_name_whatever_their_order(header: str) -> None:
    values = {"ip": "192.0.2.1", "port": "8080", "type": "spam", "seen": "2026-02-28", "trust": "40"}
    line = ",".join(values.get(name.strip().lower(), "") for name in header.split(","))
    [row] = read("csv", f"{header}\n{line}", columns=COLUMNS, claims=WORDS)
    assert isinstance(row, Observation)
    assert (str(row.address), row.port, row.claim, row.confidence) == ("192.0.2.1", 8080, "reputation", 40)


def test_one_file_can_be_read_by_its_honest_and_by_its_simulated_claims() -> None:
    text = "ip,port,type,observed_at,source,confidence,sim_type,sim_port\n192.0.2.1,,spam,2026-02-28,a,20,relay,25"
    simulated = {"address": "ip", "port": "sim_port", "claim": "sim_type", "observed_at": "observed_at"}
    honest = simulated | {"port": "port", "claim": "type"}
    for columns, expected in ((simulated, ("open_relay", 25)), (honest, ("reputation", 0))):
        [row] = read("csv", text, columns=columns, claims={"relay": "open_relay", "spam": "reputation"})
        assert isinstance(row, Observation)
        assert (row.claim, row.port) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("open relay", "open_relay"),
        (" OPEN RELAY ", "open_relay"),
        ("door", Reason.CLAIM_UNKNOWN),
        ("reputation", Reason.CLAIM_UNKNOWN),
        ("", Reason.CLAIM_MISSING),
        ("  ", Reason.CLAIM_MISSING),
    ],
)
def test_a_claim_is_the_word_that_the_feed_declared_and_no_other(word: str, expected: str) -> None:
    found = read("csv", f"ip,type\n192.0.2.1,{word}", columns={"address": "ip", "claim": "type"}, claims=WORDS)
    assert reasons(found) == [(2, expected)]


def test_without_a_word_in_the_row_the_feeds_own_claim_holds() -> None:
    columns = {"address": "ip", "claim": "type"}
    found = read("csv", "ip,type\n192.0.2.1,\n192.0.2.2,door", columns=columns, claims=WORDS, default_claim="proxy")
    assert reasons(found) == [(2, "proxy"), (3, Reason.CLAIM_UNKNOWN)]
    assert reasons(read("csv", "ip\n192.0.2.1", columns={"address": "ip"}, default_claim="proxy")) == [(2, "proxy")]


@pytest.mark.parametrize("header", ["address,port", "ip,ip,port", "ip", "<html>", "192.0.2.1,80"])
def test_a_header_without_a_needed_column_rejects_the_whole_file(header: str) -> None:
    found = read(
        "csv", f"{header}\n192.0.2.1,80\n192.0.2.2,80", columns={"address": "ip", "port": "port"}, default_claim="proxy"
    )
    assert reasons(found) == [(line, Reason.HEADER_MISSING) for line in (1, 2, 3)]


@pytest.mark.parametrize("second", ["port,ip", "ip,port,more", "more,ip,port", "port,more,ip,x"])
def test_a_header_that_changes_in_mid_file_rejects_the_whole_rest(second: str) -> None:
    text = f"ip,port\n192.0.2.1,80\n{second}\n192.0.2.2,80\n192.0.2.3,80"
    found = read("csv", text, columns={"address": "ip", "port": "port"}, default_claim="proxy")
    assert reasons(found) == [(2, "proxy")] + [(line, Reason.HEADER_CHANGED) for line in (3, 4, 5)]


def test_the_same_header_again_is_one_reject() -> None:
    text = "ip,port\n192.0.2.1,80\nip,port\n192.0.2.2,80"
    found = read("csv", text, columns={"address": "ip", "port": "port"}, default_claim="proxy")
    assert reasons(found) == [(2, "proxy"), (3, Reason.HEADER_REPEATED), (4, "proxy")]


def test_a_row_with_our_columns_names_in_its_texts_does_not_spoil_the_rest() -> None:
    text = "ip,port,server,via\n10.0.0.1,80,ip,port\n192.0.2.1,x,ip,port\n192.0.2.1,80,ip,port"
    found = read("csv", text, columns={"address": "ip", "port": "port"}, default_claim="proxy")
    assert reasons(found) == [(2, Reason.ADDRESS_SPECIAL), (3, Reason.PORT_BAD), (4, "proxy")]


def test_a_row_with_more_or_fewer_cells_than_the_header_is_rejected() -> None:
    text = "ip,port\n192.0.2.1\n192.0.2.1,80,x\n192.0.2.1,80"
    found = read("csv", text, columns={"address": "ip", "port": "port"}, default_claim="proxy")
    assert reasons(found) == [(2, Reason.COLUMNS), (3, Reason.COLUMNS), (4, "proxy")]


def test_a_line_break_inside_quotes_begins_no_row() -> None:
    text = 'ip,banner\n192.0.2.1,"Squid\n192.0.2.66,forged\n"\n192.0.2.2,x'
    found = read("csv", text, columns={"address": "ip"}, default_claim="proxy")
    assert [(row.line, str(row.address)) for row in found if isinstance(row, Observation)] == [
        (2, "192.0.2.1"),
        (5, "192.0.2.2"),
    ]
    assert found[0].raw == b'192.0.2.1,"Squid\n192.0.2.66,forged\n"'


def test_a_quote_that_never_closes_rejects_every_line_it_may_reach() -> None:
    text = 'ip,banner\n192.0.2.1,"Squid\n' + "192.0.2.66,forged\n" * 100
    found = read("csv", text, columns={"address": "ip"}, default_claim="proxy")
    assert {row.reason for row in found[:64] if isinstance(row, Reject)} == {Reason.QUOTING}
    assert [row.line for row in found] == list(range(2, 103))
    at_the_end = read("csv", 'ip,banner\n192.0.2.1,"Squid', columns={"address": "ip"}, default_claim="proxy")
    assert reasons(at_the_end) == [(2, Reason.QUOTING)]


def test_doubled_and_backslashed_quotes_stay_in_their_cell() -> None:
    text = 'ip,banner,port\n192.0.2.1,"say \\""hello\\"", please",80\n192.0.2.2,6" disk,80\n"192.0.2.3","","80"'
    found = read("csv", text, columns={"address": "ip", "port": "port"}, default_claim="proxy")
    assert [(str(row.address), row.port) for row in found if isinstance(row, Observation)] == [
        ("192.0.2.1", 80),
        ("192.0.2.2", 80),
        ("192.0.2.3", 80),
    ]


def test_a_carriage_return_inside_a_row_with_quotes_is_rejected_not_raised() -> None:
    found = read("csv", b'ip,x\n192.0.2.1,"a"\rb,c\n192.0.2.2,x', columns={"address": "ip"}, default_claim="proxy")
    assert reasons(found) == [(2, Reason.QUOTING), (3, "proxy")]


def test_cells_that_are_not_utf8_harm_nothing() -> None:
    text = b"ip,city,port\n192.0.2.1,Montr\xe9al,80\n192.0.2.2,Montr\xc3\xa9al,80\n"
    found = read("csv", text, columns={"address": "ip", "port": "port"}, default_claim="proxy")
    assert reasons(found) == [(2, "proxy"), (3, "proxy")]


def test_names_and_words_with_accents_are_found() -> None:
    text = "adresse;catégorie\n192.0.2.1;Relais fermé\n192.0.2.2;Mandataire détecté"
    columns = {"address": "adresse", "claim": "catégorie"}
    found = read("csv", text, columns=columns, claims={"mandataire détecté": "proxy"}, delimiter=";")
    assert reasons(found) == [(2, Reason.CLAIM_UNKNOWN), (3, "proxy")]


def test_a_table_without_a_header_line_is_read_by_declared_names() -> None:
    text = (
        "# report|ip|asn|timestamp|comments|asn_name\n"
        "proxy|192.0.2.1|64496|2026-02-28 10:00:03|HTTP CONNECT (8080)|Example AS\n"
        "bots|192.0.2.2|64496|2026-02-28 10:00:03|mwtype x|Example AS\n"
    )
    found = read(
        "csv",
        text,
        header=("report", "ip", "asn", "timestamp", "comments", "asn_name"),
        delimiter="|",
        columns={"address": "ip", "claim": "report", "observed_at": "timestamp"},
        claims={"proxy": "proxy"},
    )
    assert reasons(found) == [(2, "proxy"), (3, Reason.CLAIM_UNKNOWN)]


def test_empty_lines_and_comments_are_no_rows() -> None:
    text = "# made today\n\nip\n\n# more\n192.0.2.1\n   \n"
    assert reasons(read("csv", text, columns={"address": "ip"}, default_claim="proxy")) == [(6, "proxy")]


def test_network_rows_and_long_and_nul_lines_are_one_reject_each() -> None:
    text = b"ip\n192.0.2.0/24\n" + b"1" * 70_000 + b"\n192.0.2.1\0\n192.0.2.1"
    found = read("csv", text, columns={"address": "ip"}, default_claim="proxy")
    assert reasons(found) == [
        (2, Reason.ADDRESS_NETWORK),
        (3, Reason.LINE_TOO_LONG),
        (4, Reason.NUL_BYTE),
        (5, "proxy"),
    ]
