"""Look a case up where ARIN refers to an rwhois server by name: for a namespace of its own, where the name leads inside."""

import json
import sys
from typing import Any

from pipeline.store.db import Database
from tests.resolve.small_internet import internet, network, run, whois_saying


def main(url: str, prefix: str, address: str, referral: str) -> None:
    said: list[Any] = []
    db = Database(url)
    with (
        internet([network(prefix, registry="arin")]) as net,
        whois_saying({f"n + {address}": referral}, said) as arin,
    ):
        run(db, net, 1, by={"whois_hosts": {"arin": arin}, "allow_loopback": True})
    db.close()
    print(json.dumps([text for _, text in said]))


if __name__ == "__main__":
    main(*sys.argv[1:])
