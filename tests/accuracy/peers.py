"""What other libraries take from the same answers, beside what we take: `python -m tests.accuracy.peers` writes the table.

Each library gets the bytes as its own client would hand them over, and no network.  What counts as its abuse contacts is
the kindest reading of what it returns: whoisit's and ipwhois' abuse role; all e-mails of rdap and of ipwhois' WHOIS,
which say no role.  An answer that is a failure counts as exact where the library raises.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ipwhois.net import Net
from ipwhois.nir import NIRWhois
from ipwhois.rdap import RDAP
from ipwhois.whois import Whois
from rdap.client import RdapClient
from rdap.objects import RdapAsn, RdapEntity, RdapNetwork
from whoisit.errors import BootstrapError
from whoisit.parser import parse

from tests.accuracy import cases
from tests.accuracy.cases import Row, Verdict

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "accuracy.md"
BEGIN, END = "<!-- measured: python -m tests.accuracy.peers -->\n", "<!-- /measured -->"

Reader = Callable[[Row, bytes], set[str]]


class NoBootstrap:
    """whoisit looks up the registry's name by a URL in the answer; without IANA's files it knows none."""

    def get_rir_name_by_endpoint_url(self, url: str) -> str:
        raise BootstrapError(url)

    def is_using_overrides(self) -> bool:
        return False


def whoisit(row: Row, body: bytes) -> set[str]:
    data = json.loads(body)
    if "errorCode" in data:
        raise ValueError(data["errorCode"])  # its client raises on the HTTP status, which a file has not
    kind = "autnum" if "query_asn" in row else "entity" if cases.handle_asked(row) else "ip"
    parsed = parse(NoBootstrap(), kind, row["query_ip"] or str(row.get("query_asn", "")), data)
    desks = list(parsed["entities"].get("abuse", []))
    if kind == "entity":
        desks.append(parsed)
    return {email.lower() for desk in desks for email in desk.get("emails", [])}


def rdap(row: Row, body: bytes) -> set[str]:
    data = json.loads(body)
    if "errorCode" in data:
        raise ValueError(data["errorCode"])
    kind = RdapAsn if "query_asn" in row else RdapEntity if cases.handle_asked(row) else RdapNetwork
    client = RdapClient({"recurse_roles": [], "timeout": 1})  # it never asks: what was not handed over is not read
    with closing(client.http):
        return {email.lower() for email in kind(data, client).emails}


def offline_net(address: str) -> Net:
    net = Net.__new__(Net)
    net.address_str = address
    return net


def ipwhois(row: Row, body: bytes) -> set[str]:
    data = json.loads(body)
    if "errorCode" in data:
        raise ValueError(data["errorCode"])
    found = RDAP(offline_net(row["query_ip"] or "")).lookup(
        response=data, root_ent_check=False, asn_data={"asn_registry": form(row)}
    )
    desks = [one for one in found["objects"].values() if "abuse" in (one["roles"] or [])]
    return {email["value"].lower() for desk in desks for email in (desk["contact"] or {}).get("email") or []}


def ipwhois_text(row: Row, body: bytes) -> set[str]:
    text, net = body.decode("ascii", "ignore"), offline_net(row["query_ip"] or "")
    if row["file"].endswith("-html.txt"):
        nir = row["file"].partition("-")[0]
        nets = NIRWhois(net).lookup(nir=nir, response=body.decode("utf-8", "replace"), is_offline=True)["nets"]
        contacts = [one["contacts"][name] or {} for one in nets for name in one["contacts"]]
        return {email.lower() for contact in contacts for email in written(contact.get("email"))}
    found = Whois(net).lookup(response=text, is_offline=True, asn_data={"asn_registry": form(row)})
    return {email.lower() for one in found["nets"] for email in written(one["emails"])}


def form(row: Row) -> str:
    """The registry's form by ipwhois' names: national registries' answers look like APNIC's."""
    known = ("arin", "ripencc", "apnic", "lacnic", "afrinic")
    return row["registry"] if row["registry"] in known else "apnic"


def written(value: object) -> list[str]:
    if isinstance(value, str):
        return re.split(r"[\s,]+", value)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


# --- the table --------------------------------------------------------------------------------------------------------


def verdicts(kind: str, reader: Reader) -> Iterator[Verdict | None]:
    """How one library fares with each answer; None where it raised on what was an answer."""
    for row in cases.rows(kind):
        try:
            got = reader(row, cases.body(kind, row))
        except Exception:  # noqa: BLE001 - whatever a library raises on a stranger's bytes is what is counted
            yield Verdict(True, False, False) if "error" in row else None
            continue
        verdict = cases.compared(row, got)
        yield Verdict(False, True, verdict.is_forbidden) if "error" in row else verdict


def our_verdicts(kind: str) -> Iterator[Verdict | None]:
    read = cases.read_rdap if kind == "rdap" else cases.read_whois
    yield from (cases.ours(row, read(row)) for row in cases.rows(kind))


def counted(name: str, found: Iterator[Verdict | None]) -> tuple[str, int, int, int, int]:
    every = list(found)
    read = [one for one in every if one is not None]
    return (
        name,
        sum(one.is_exact for one in read),
        sum(one.is_missed for one in read),
        sum(one.is_forbidden for one in read),
        len(every) - len(read),
    )


def named(package: str) -> str:
    return f"{package} {version(package)}"


def table() -> str:
    """Return the tables of RDAP and of WHOIS answers as Markdown."""
    kinds: list[tuple[str, str, list[tuple[str, Reader]]]] = [
        ("rdap", "RDAP", [(named("whoisit"), whoisit), (named("rdap"), rdap), (named("ipwhois"), ipwhois)]),
        ("whois", "WHOIS", [(named("ipwhois"), ipwhois_text)]),
    ]
    parts = []
    for kind, title, readers in kinds:
        lines: list[tuple[Any, ...]] = [counted("Tocsin", our_verdicts(kind))]
        lines += [counted(name, verdicts(kind, reader)) for name, reader in readers]
        head = f"| {len(cases.rows(kind))} {title} answers | exact | missed | forbidden | exceptions |"
        parts.append(
            "\n".join([head, "|---|---|---|---|---|", *("| " + " | ".join(map(str, line)) + " |" for line in lines)])
        )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    if not begin or END not in rest:
        raise SystemExit(f"{PAGE} has no place for the table")
    PAGE.write_text(before + begin + table() + END + rest.partition(END)[2], encoding="utf-8")
    print(table())


if __name__ == "__main__":
    main()
