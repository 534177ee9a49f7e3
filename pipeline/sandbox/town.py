"""The whole small Internet of a scenario on loopback: name server, RDAP, WHOIS of five registries, a mail server.

Reads: a scenario.  Writes: a Maildir of what the mail server keeps.  Everything is gone when the block is left; the Maildir
stays.  The settings that point an installation here come from `settings`.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.domain import Clock
from pipeline.sandbox import dns_server, mail_rules, mail_server, rdap_server, routing, whois_server
from pipeline.sandbox.dns_server import Log
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.mail_server import MailServer
from pipeline.sandbox.networks import REGISTRIES
from pipeline.sandbox.scenario import MailBehaviour, MailRule, Scenario

HOST = "127.0.0.1"


@dataclass(slots=True)
class Town:
    """What is running: the ports, the mail server, and what was asked of each server, with its time."""

    dns: int
    rdap: int
    whois: Mapping[str, int]
    mail: MailServer
    dns_log: Log = field(default_factory=list)
    rdap_log: Log = field(default_factory=list)
    whois_log: Log = field(default_factory=list)

    def settings(self) -> dict[str, Any]:
        """Return the settings that point an installation at these servers."""
        root = f"http://{HOST}:{self.rdap}/bootstrap"
        return {
            "sandbox": True,
            "dns": {"nameservers": [f"{HOST}:{self.dns}"]},
            "resolve": {
                "origin_zone": routing.ORIGIN,
                "origin6_zone": routing.ORIGIN6,
                "directory_zone": routing.DIRECTORY,
                "names_rate": 0.0,
            },
            "rdap": {
                "bootstrap_v4": f"{root}/ipv4.json",
                "bootstrap_v6": f"{root}/ipv6.json",
                "bootstrap_asn": f"{root}/asn.json",
                "allow_loopback": True,
                "user_agent": "Tocsin sandbox (https://agency.example; noc@agency.example)",
            },
            "whois": {"hosts": {registry: f"{HOST}:{port}" for registry, port in self.whois.items()}},
            "mail": {"relay": {"host": HOST, "port": self.mail.port, "tls": "none"}},
        }


@contextlib.asynccontextmanager
async def serve(scenario: Scenario, maildir: Path, clock: Clock) -> AsyncIterator[Town]:
    """Run every server of the scenario until the block is left."""
    dns_log: Log = []
    rdap_log: Log = []
    whois_log: Log = []
    async with contextlib.AsyncExitStack() as stack:
        dns = await stack.enter_async_context(dns_server.serve(scenario.dns_table(), clock, dns_log, HOST))
        rdap = await stack.enter_async_context(rdap_server.serve(scenario.rdap_table(), clock, rdap_log, HOST))
        whois = {}
        table = scenario.whois_table()
        for registry in REGISTRIES:
            server = whois_server.serve(table, registry, clock, whois_log, HOST)
            whois[registry] = await stack.enter_async_context(server)
            table.referrals[registry] = f"{HOST}:{whois[registry]}"
        rules = {rule.mailbox: behaviour(rule) for rule in scenario.mail}
        mail = await stack.enter_async_context(mail_server.serve(rules, maildir, HOST))
        yield Town(dns, rdap, whois, mail, dns_log, rdap_log, whois_log)


def behaviour(rule: MailRule) -> Rule:
    """Return what the mail server does with a mailbox of the scenario."""
    return {
        MailBehaviour.ACCEPT: mail_rules.ACCEPT,
        MailBehaviour.REFUSE: mail_rules.REFUSE,
        MailBehaviour.DEFER: mail_rules.defer(rule.times),
        MailBehaviour.BOUNCE: mail_rules.BOUNCE,
        MailBehaviour.GREYLIST: mail_rules.GREYLIST,
    }[rule.behaviour]
