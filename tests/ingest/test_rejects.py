"""The reasons are a closed set: explained in the reference, and each one given by some line."""

import re
from pathlib import Path

from pipeline.ingest.rejects import Reason
from tests.ingest.written import read

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "rejects.md"


def test_the_reference_explains_every_reason_and_no_other() -> None:
    explained = re.findall(r"^\| `([a-z-]+)` \|", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    assert explained == [reason.value for reason in Reason]


def test_every_reason_is_given_by_some_line() -> None:
    columns = {
        "address": "ip",
        "port": "port",
        "observed_at": "seen",
        "claim": "type",
        "confidence": "trust",
        "transport": "over",
    }
    head = "ip,port,seen,type,trust,over\n"
    good = "192.0.2.1,80,2026-02-28,proxy,50,tcp"
    rows = [
        good.replace("192.0.2.1", ""),
        good.replace("192.0.2.1", "x"),
        good.replace("192.0.2.1", "192.0.2.0/24"),
        good.replace("192.0.2.1", "10.0.0.1"),
        good.replace("192.0.2.1", "224.0.0.1"),
        good.replace(",80,", ",x,"),
        good.replace("tcp", "x"),
        good.replace("2026-02-28", ""),
        good.replace("2026-02-28", "x"),
        good.replace("2026-02-28", "2027-02-28"),
        good.replace("2026-02-28", "1997-02-28"),
        good.replace("proxy", ""),
        good.replace("proxy", "x"),
        good.replace(",50,", ",x,"),
        good + ",x",
        good.replace("50", "\0"),
        "x" * 70_000,
        head.strip(),
        head.strip() + ",more",
    ]
    found = read("csv", head + "\n".join(rows), columns=columns, default_observed_at=None)
    found += read("csv", 'ip\n"', columns={"address": "ip"})
    found += read("csv", "x", columns={"address": "ip"})
    found += read("ip", "192.0.2.1", default_claim="proxy", allow_documentation=False)
    found += read("ip_port", "2001:db8::1\nu:p@192.0.2.1:80\n192.0.2.1:80 => fail", default_claim="proxy")
    assert {getattr(row, "reason", "") for row in found} == set(Reason)
