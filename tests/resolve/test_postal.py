"""The postal address of a network's holder: from RDAP cards and WHOIS texts, bounded, and fit for an envelope."""

import unicodedata
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain import NetworkAnswer, Outcome
from pipeline.resolve import postal, rdap_addresses
from pipeline.resolve.lookup import look_up
from pipeline.resolve.postal import MAX_LINES, MAX_WIDTH
from tests.resolve import test_rdap_answer as rdap
from tests.resolve import test_whois_answer as whois
from tests.resolve.scripted import RIPE, WHOIS, Json, ip, of, rpsl, rules, tell
from tests.soak import IS_SOAK, LONGER

EMPTY = [""] * 7


def adr(label: object = None, value: object = EMPTY, **parameters: object) -> list[Any]:
    return ["adr", parameters | ({"label": label} if label is not None else {}), "text", value]


def of_card(*properties: list[Any]) -> str:
    """What is read of a card with these properties."""
    return rdap_addresses.postal_address({"vcardArray": ["vcard", [["fn", {}, "text", "Name"], *properties]]})


# --- cards ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (adr("1 Example Street\nExampleville\nCanada"), ["1 Example Street", "Exampleville", "Canada"]),
        (adr("1 Example Street\\nExampleville\\nCanada"), ["1 Example Street", "Exampleville", "Canada"]),
        (adr("1 Street\r\n\r\n  Town \u2028Canada\n"), ["1 Street", "Town", "Canada"]),
        # ARIN: a line for the town, the province and the postal code each
        (adr("1 Street\nMontréal\nQC\nH0H 0H0\nCanada"), ["1 Street", "Montréal QC H0H 0H0", "Canada"]),
        (adr("1 Street\nHere\nQC\nThere\nCanada"), ["1 Street", "Here", "QC", "There", "Canada"]),
        # of a label and parts the label, which is made for envelopes; the country of the parts, if it has none
        (adr("1 Street\nTown", ["", "", "2 Road", "", "", "", "Canada"]), ["1 Street", "Town", "Canada"]),
        (adr("1 Street\nCanada", ["", "", "", "", "", "", "CA"]), ["1 Street", "Canada"]),
        (adr(["1 Street", "Town"]), ["1 Street", "Town"]),
        (adr(None, "1 Street\nTown"), ["1 Street", "Town"]),
        (adr("Street 1, 00000 Town, Kyrgyzstan", None), ["Street 1, 00000 Town, Kyrgyzstan"]),
    ],
)
def test_a_label_is_the_address_line_by_line(address: list[Any], lines: list[str]) -> None:
    assert of_card(address).split("\n") == lines


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        (["", "Suite 1", "4 Rue", "Québec", "QC", "G1V 2M2", "CA"], ["Suite 1", "4 Rue", "Québec QC G1V 2M2", "CA"]),
        (
            ["Box 3", "", ["4 Rd", "Floor 5"], "Town", "", "10000", "DE"],
            ["Box 3", "4 Rd", "Floor 5", "10000 Town", "DE"],
        ),
        (["", "--", "Calle 9 --", "Bogotá D.C", "", "-", "CO"], ["Calle 9 --", "Bogotá D.C", "CO"]),
        (["", "", "1 Street\\nFloor 2", "Town", "", "", ""], ["1 Street", "Floor 2", "Town"]),
        (["216 Avenue", "Fairland", "Johannesburg 2196"], ["216 Avenue", "Fairland", "Johannesburg 2196"]),
        ([None, 7, ["1 Street", {}, ["2"]], "Town", None, 9, False], ["1 Street", "Town"]),
    ],
)
def test_parts_are_put_on_lines_and_may_be_lists(parts: list[Any], lines: list[str]) -> None:
    assert of_card(adr(None, parts)).split("\n") == lines


@pytest.mark.parametrize(
    "address",
    [
        adr(),
        adr(None, None),
        adr(None, ["", "", "", "", "QC", "", "CA"]),  # a country and a region are no address
        adr(None, ["", "-", "", "", "", "00000", "CA"]),
        adr("Canada"),
        adr("Exampleville\n \n---\n"),
        adr(""),
        adr({"a": 1}),
        adr(7, 7),
        adr([[]], [[[]]]),
        ["adr", None, None, None],
        ["adr", {"label": "1 Street\nTown"}, "text"],
    ],
)
def test_what_is_no_address_is_none(address: list[Any]) -> None:
    assert of_card(address) == ""


def test_the_first_address_that_can_be_read_counts() -> None:
    assert of_card(adr(), adr("see http://rir.example\nTown"), adr("1 Street\nTown")) == "1 Street\nTown"
    assert of_card(["item1.ADR", {"label": "1 Street\nTown"}, "text", EMPTY]) == "1 Street\nTown"


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        ({"full": "1 Street\nTown", "countryCode": "CA"}, ["1 Street", "Town", "CA"]),
        (
            {
                "components": [
                    {"kind": "number", "value": "54321"},
                    {"kind": "separator", "value": " "},
                    {"kind": "name", "value": "Oak St"},
                    {"kind": "floor", "value": "Floor 2"},
                    {"kind": "locality", "value": "Reston"},
                    {"kind": "region", "value": "VA"},
                    {"kind": "postcode", "value": "20190"},
                    {"kind": "country", "value": "USA"},
                ]
            },
            ["54321 Oak St", "Floor 2", "Reston VA 20190", "USA"],
        ),
        ({"components": [{"kind": "country", "value": "USA"}, {"kind": []}, 7]}, [""]),
    ],
)
def test_a_jscontact_card_has_an_address_too(address: Json, lines: list[str]) -> None:
    assert rdap_addresses.postal_address({"jscard": {"addresses": {"a": address}}}).split("\n") == lines


# --- what cannot stand on an envelope ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "abuse@isp.example",
        "c/o noc＠isp.example",
        "https://isp.example/1",
        "see WWW.isp.example",
        "Tel: +1 555 0100",
        "fax no.: 5550100",
        "E-mail : none",
        "********",
        "1 *** Street",
        "REDACTED",
        "[Redacted for privacy]",
        "Private Residence",
        "N/A",
        "Unknown.",
        "--",
        "...",
        "\u200b\u202e",
        "\x00\x1b\x07",
    ],
)
def test_a_line_that_is_no_part_of_an_address_is_dropped_and_the_country_stays(line: str) -> None:
    assert of_card(adr(f"1 Street\n{line}\nTown\nCanada")) == "1 Street\nTown\nCanada"
    assert postal.written(f"{line}\n{line}\nCanada") == ""


@pytest.mark.parametrize(
    "line", ["12 Redwood Road", "Private Road 5", "None Street 3", "Telford Park: Unit 9", "Faxon Lane", "Norton 1"]
)
def test_a_street_with_such_a_word_in_its_name_stays(line: str) -> None:
    assert of_card(adr(f"{line}\nTown\nCanada")) == f"{line}\nTown\nCanada"


def test_control_and_format_characters_are_taken_out() -> None:
    label = "1 Exam\u202eple\x1b[31m Street\x00\nTo\tw\u200bn\nCanada\ufeff"
    assert of_card(adr(label)) == "1 Exam ple [31m Street\nTo w n\nCanada"


def test_an_address_has_at_most_8_lines_and_ends_with_its_last() -> None:
    label = "\n".join([*(f"Line {n}" for n in range(1, 20)), "Canada"])
    assert of_card(adr(label)).split("\n") == [*(f"Line {n}" for n in range(1, 8)), "Canada"]
    assert len(postal.written("1 Street\n" * 100_000).split("\n")) == MAX_LINES


def test_a_long_line_is_folded_between_its_words() -> None:
    lines = of_card(adr("1 " + "Example " * 15 + "Street, 00000 Town, Canada")).split("\n")
    assert len(lines) == 2
    assert max(map(len, lines)) <= MAX_WIDTH
    assert lines[-1].endswith("Street, 00000 Town, Canada")


TEXTS = st.text(st.sampled_from("aÉ1 ,-*@:/\n\\n\r\x00\u202e\ud800Ωwn.QC") | st.characters(), max_size=300)


@settings(
    max_examples=200 * LONGER,
    deadline=None,
    derandomize=not IS_SOAK,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(TEXTS | st.none(), st.lists(TEXTS | st.lists(TEXTS) | st.integers(), max_size=9))
def test_whatever_a_card_says_few_short_printable_lines_come_of_it(label: str | None, value: list[Any]) -> None:
    found = of_card(adr(label, value))
    lines = found.split("\n") if found else []
    assert len(lines) <= MAX_LINES
    assert all(line.isprintable() and 0 < len(line) <= MAX_WIDTH and line == line.strip() for line in lines)
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for line in lines for character in line)
    assert not {"@", "＠"} & set(found)
    assert "://" not in found


# --- whose address it is ----------------------------------------------------------------------------------------------

OURS, THEIRS = "1 Example Street\nExampleville\nCanada", "2 Desk Road\nExampleville\nCanada"


def card(roles: list[str], address: str = "", **more: Any) -> Json:
    return rdap.entity(roles, *([adr(address)] if address else []), **more)


@pytest.mark.parametrize(
    ("entities", "found"),
    [
        ([card(["abuse"], THEIRS), card(["registrant"], OURS, kind="org")], OURS),
        ([card(["abuse"], THEIRS), card([], OURS, kind="org")], OURS),  # an organisation without a role
        ([card(["abuse"], THEIRS), card(["registrant"], kind="org")], THEIRS),
        ([card(["registrant"], kind="org", entities=[card(["abuse"], THEIRS)])], THEIRS),
        ([card(["abuse"], THEIRS)], THEIRS),
        ([card(["technical"], THEIRS)], ""),
        ([card(["abuse"], THEIRS, handle="IRT-APNIC-AP")], ""),  # the registry's own desk
        ([card(["registrar"], THEIRS, entities=[card(["abuse"], THEIRS)])], ""),
        ([], ""),
    ],
)
def test_it_is_the_holders_address_else_that_of_the_abuse_contact(entities: list[Json], found: str) -> None:
    assert rdap.read(rdap.network(*entities)).postal == found


def test_a_registrys_own_block_has_no_address() -> None:
    everything = {"name": "IANA-BLOCK", "startAddress": "0.0.0.0", "endAddress": "255.255.255.255"}
    answer = rdap.read(rdap.network(card(["registrant"], OURS, kind="org"), **everything))
    assert (answer.why, answer.postal) == ("registry-block", "")


def test_no_address_stands_in_what_python_prints_of_an_answer() -> None:
    answer = NetworkAnswer(Outcome.NO_CONTACT, postal=OURS)
    assert "Example" not in repr(answer)


# --- WHOIS ------------------------------------------------------------------------------------------------------------


def test_arins_organisation_has_its_address_in_five_keys() -> None:
    lines = "Address:  1 Example Street\nAddress:  Suite 300\nCity:  Montreal\nStateProv:  QC\nPostalCode:  H0H 0H0"
    text = whois.ARIN.replace("StateProv:      QC", lines)
    found = "1 Example Street\nSuite 300\nMontreal QC H0H 0H0\nCA"
    assert whois.read(text, "192.0.2.1", registry="arin").postal == found
    assert whois.read(text, registry="arin").postal == ""  # of the customer inside it nothing is said
    customer = text.replace("CustName:       Customer\n", "CustName:       Customer\nAddress:  2 Road\nCity:  Reno\n")
    assert whois.read(customer, registry="arin").postal == "2 Road\nReno\nUS"
    withheld = customer.replace("2 Road\nCity:  Reno", "Private Residence")
    assert whois.read(withheld, registry="arin").postal == ""


def test_rpsl_has_the_organisations_address_else_the_abuse_desks() -> None:
    desk = whois.RIPE.replace(
        "abuse-mailbox:  abuse@", "address:  2 Desk Road\naddress:  France\nabuse-mailbox:  abuse@"
    )
    assert whois.read(desk).postal == "2 Desk Road\nFrance"
    person = desk.replace("person:         Jane Doe", "person:         Jane Doe\naddress:  3 Home\naddress:  France")
    assert whois.read(person).postal == "2 Desk Road\nFrance"
    own = "org-name:       The Firm\naddress:        1, rue de l'Exemple\naddress:        Exempleville\n  France"
    assert (
        whois.read(desk.replace("org-name:       The Firm", own)).postal == "1, rue de l'Exemple\nExempleville\nFrance"
    )
    assert whois.read(whois.RIPE.replace("org-name:", "address:  ***\naddress:  France\norg-name:")).postal == ""


def test_lacnic_writes_the_owners_address_in_the_network() -> None:
    text = whois.LACNIC.replace("country:", "address:     Calle, 1, \naddress:     00000 - Ejemplo - MX\ncountry:", 1)
    assert whois.read(text, registry="lacnic").postal == "Calle, 1\n00000 - Ejemplo - MX"


def test_a_providers_rwhois_server_has_the_address_in_keys() -> None:
    text = (
        "network:Class-Name:network\nnetwork:IP-Network:192.0.2.0/24\nnetwork:Org-Name:Customer\n"
        "network:Street-Address:1 Example Street\nnetwork:City:Reno\nnetwork:State:NV\nnetwork:Postal-Code:00000\n"
        "network:Country-Code:US\n"
    )
    assert whois.read(text, registry="arin").postal == "1 Example Street\nReno NV 00000\nUS"


# --- through a whole look-up ------------------------------------------------------------------------------------------

ASKED = ip("192.0.2.7")
RIPE_WHOIS = "whois://whois.ripencc.example:43/-r 192.0.2.7"
LINES = ("1 Example Street", "Exampleville", "Canada")
OTHER = "org: ORG-1\n\norganisation: ORG-1\naddress: 2 Desk Road\naddress: Exampleville\naddress: Canada\n"


@pytest.mark.parametrize(
    ("by_rdap", "abuse", "prefix", "found"),
    [
        ((), "abuse@one.example", "192.0.2.0/24", THEIRS),
        ((), "", "192.0.2.0/24", THEIRS),
        (LINES, "", "192.0.2.0/24", OURS),  # as RDAP has it
        (LINES, "abuse@one.example", "192.0.2.0/24", THEIRS),  # the answer that counts has its own
        ((), "", "192.0.2.0/25", ""),  # of another network
    ],
)
def test_whois_gives_the_address_that_rdap_does_not(
    by_rdap: tuple[str, ...], abuse: str, prefix: str, found: str
) -> None:
    text = rpsl(prefix, abuse, more=OTHER) if abuse else rpsl(prefix, more=OTHER)
    answers = {ASKED: of("192.0.2.0/24", postal=by_rdap), RIPE_WHOIS: text}
    told = tell(look_up(ip_address("192.0.2.7"), rules(chain=("network", "whois"), whois_hosts=WHOIS)), answers)
    assert told.asked == [ASKED, RIPE_WHOIS]
    assert told.found.answer.postal == found


def test_the_abuse_contact_that_is_asked_for_by_its_handle_gives_its_address() -> None:
    bare = {"entities": [{"objectClassName": "entity", "handle": "DESK-1", "roles": ["abuse"]}]}
    email = ["email", {}, "text", "abuse@one.example"]
    desk = {"objectClassName": "entity", "handle": "DESK-1", "vcardArray": ["vcard", [email, adr(THEIRS)]]}
    answers = {ASKED: of("192.0.2.0/24") | bare, f"{RIPE}entity/DESK-1": desk}
    told = tell(look_up(ip_address("192.0.2.7"), rules(chain=("network",))), answers)
    assert (told.usable, told.found.answer.postal) == (["abuse@one.example"], THEIRS)
