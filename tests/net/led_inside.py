"""Ask a registry and a WHOIS server by names, and print the failures and the look-ups: for a namespace of its own."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

from pipeline.domain import RdapQuestion, WhoisQuestion
from pipeline.net import rdap, whois
from pipeline.net.edge import Edge
from pipeline.net.http import HttpSettings
from pipeline.net.whois import WhoisSettings


def asked(edge: Edge[Any, Any], questions: list[Any]) -> list[dict[str, str]]:
    """The failures in the order of the questions."""
    failures: dict[int, dict[str, str]] = {}
    with edge:
        for question in questions:
            edge.ask(question)
        while len(failures) < len(questions):
            for reply in edge.take(timeout=20):
                failures[reply.key] = {"type": type(reply.answer.failure).__name__, "code": reply.answer.failure.code}
                edge.done()
    return [failures[number] for number in range(len(questions))]


def main(kind: str, loopback: str, *hosts: str) -> None:
    looked_up: list[str] = []

    def listen(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo" and args[0] in hosts:
            looked_up.append(args[0])

    sys.addaudithook(listen)
    allow = loopback == "with-loopback"
    edge: Edge[Any, Any]
    if kind == "rdap":
        edge = rdap.edge(HttpSettings("tocsin-test/1", 5.0, allow_plain_http_to_loopback=allow), clock)
        failures = asked(edge, [RdapQuestion(n, f"https://{host}/ip/192.0.2.1") for n, host in enumerate(hosts)])
    else:
        edge = whois.edge(WhoisSettings(timeout=5.0, allow_loopback=allow), clock)
        failures = asked(edge, [WhoisQuestion(n, host, 4321, "192.0.2.1") for n, host in enumerate(hosts)])
    print(json.dumps({"failures": failures, "looked_up": sorted(looked_up)}))


def clock() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main(*sys.argv[1:])
