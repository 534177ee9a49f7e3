"""`tocsin registry import`: the files of registries, told in words and as JSON."""

import gzip
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from pipeline.cli.command import real_time
from pipeline.resolve import dumps
from pipeline.resolve.scope import ScopeCaps
from pipeline.store.db import Database
from tests.cli.conftest import Tocsin

NETWORKS = """inetnum:        192.0.2.0 - 192.0.2.255
netname:        EXAMPLE
abuse-c:        AR1-RIPE
source:         RIPE

inetnum:        nowhere
source:         RIPE
"""
ROLES = """role:           Abuse desk
nic-hdl:        AR1-RIPE
abuse-mailbox:  abuse@isp.example
source:         RIPE
"""


def packed(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_bytes(gzip.compress(text.encode(), mtime=0))
    return folder / name


def test_files_are_imported_and_answer_for_their_networks(tocsin: Tocsin, folder: Path) -> None:
    networks, roles = packed(folder, "networks.gz", NETWORKS), packed(folder, "roles.gz", ROLES)
    ran = tocsin("registry", "import", networks, roles)
    assert (ran.code, ran.out) == (
        0,
        "networks.gz: entries of ripencc kept: 1 (inetnum); unreadable: 1\n"
        "roles.gz: entries of ripencc kept: 1 (role); unreadable: 0\n",
    )
    db = Database(f"sqlite:///{folder / 'tocsin.db'}")
    with db.read() as connection:
        now, address = real_time(), ip_address("192.0.2.7")
        found = dumps.answers(connection, [address], now, ScopeCaps(), timedelta(days=30))
    db.close()
    assert [one.mailbox for one in found[address].usable] == ["abuse@isp.example"]


def test_the_same_file_again_adds_nothing_and_says_so(tocsin: Tocsin, folder: Path) -> None:
    first = packed(folder, "networks.gz", NETWORKS)
    newer = packed(folder, "newer.gz", NETWORKS.replace("EXAMPLE", "NEWER"))
    assert tocsin("registry", "import", first, "--registry", "apnic").code == 0
    assert (
        tocsin("registry", "import", first, "--registry", "apnic").out == "networks.gz: known already, nothing added\n"
    )
    [told] = tocsin("registry", "import", newer, "--registry", "apnic", "--json").data["files"]
    assert (told["registry"], told["classes"], told["kept"], told["replaced"]) == ("apnic", ["inetnum"], 1, 1)
    again = tocsin("registry", "import", first, "--registry", "apnic", "--lang", "fr").out
    assert again == "networks.gz\u00a0: déjà connu, et un plus récent l'a remplacé\n"


def test_a_bad_file_among_others_is_told_and_the_others_are_imported(tocsin: Tocsin, folder: Path) -> None:
    good, bad = packed(folder, "networks.gz", NETWORKS), packed(folder, "page.gz", "<html>503</html>")
    ran = tocsin("registry", "import", bad, good, "--json")
    assert ran.code == 5
    assert [Path(one["file"]).name for one in ran.data["files"]] == ["networks.gz"]
    assert [one["what"] for one in ran.data["failed"]] == [f"{bad} is not a registry's dump"]
    alone = tocsin("registry", "import", bad)
    assert alone.code == 5
    assert "is not a registry's dump" in alone.err
    assert "ripe.db.inetnum.gz" in alone.err
    assert tocsin("registry", "import", folder / "missing.gz").code == 4
    assert tocsin("registry", "import", good, "--registry", "nobody").code == 2
