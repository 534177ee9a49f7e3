"""What the codes of a look-up mean: kinds of questions, what came back, why it says nothing, why one mailbox goes before
another.

Pure.  The sentences are msgids.  A code that is not known here is shown as it stands.
"""

CARRIERS = {
    "mapped": "It is the IPv4 address {inner}, written as an IPv6 address (RFC 4291).",
    "6to4": "It carries the IPv4 address {inner} (6to4, RFC 3056).",
    "nat64": "It carries the IPv4 address {inner} (NAT64, RFC 6052).",
    "teredo": "It carries the IPv4 address {inner} of the computer behind it (Teredo, RFC 4380).",
}

ASKED = {
    "override": "The word that a person gave on {at} was followed, and nobody was asked.",
    "dump": "The file that the registry publishes, imported here on {at}, was read, and nobody was asked.",
    "network": "On {at} the registry's RDAP server {host} was asked for the network around {address}.",
    "whois": "On {at} the WHOIS server {host} was asked about {address}.",
    "page": "On {at} the national registry's page at {host} was asked about {address}.",
    "search": "On {at} the RDAP server {host} was asked for all networks within the one that it had named (RFC 9910).",
    "entity": "On {at} the RDAP server {host} was asked for a contact of which it had named the handle alone.",
    "parent": "On {at} the RDAP server {host} was asked for the network above.",
    "origin": "On {at} the DNS was asked which autonomous systems (AS) announce {address} to the Internet.",
    "autnum": "On {at} the RDAP server {host} was asked for the contact of that autonomous system.",
    "directory": "On {at} a public directory of abuse contacts was asked about {address}, in the DNS.",
    "cert": "On {at} our own table of routes was read for the country, and nobody was asked.",
    "host_name": "On {at} the DNS was asked for the names of {address} that lead back to it.",
    "mail": "On {at} the DNS was asked how mail for {name} is routed.",
}

HEARD = {
    "contacts": "It answered, and named {mailboxes}.",
    "again": "It answered, and named no mailbox that had not been named before.",
    "ours.again": "It names no mailbox that had not been named before.",
    "no_contact": "It answered, and named no mailbox that may be written to: {why}.",
    "not_found": "It answered that it knows no such network.",
    "refused": "It refused to answer ({why}); that says nothing about the network.",
    "unusable": "What came could not be used ({why}); that says nothing about the network.",
    "special": "It answered that these addresses serve a special purpose.",
    "origin.contacts": "It answered: {why}.",
    "origin.no_contact": "It answered that it knows of none.",
    "cert.contacts": "The table names {mailboxes}.",
    "override.contacts": "That word names {mailboxes}.",
    "dump.contacts": "The file names {mailboxes}.",
    "dump.no_contact": "The file names no mailbox that may be written to: {why}.",
    "mail.mx": "It answered with mail servers (MX): the domain takes mail.",
    "mail.address": "It answered with no mail server, but with an address: the domain takes mail there (RFC 5321).",
    "mail.null_mx": "It answered that the domain takes no mail (null MX, RFC 7505).",
    "mail.none": "It answered that the domain has neither a mail server nor an address: it takes no mail.",
    "mail.unknown": "It could not say, so nothing follows from it.",
}

NOTHING_SAID = {
    "not-json": "it is not JSON",
    "not-an-object": "it is not an RDAP object",
    "no-object": "it holds no object of the registry",
    "no-match": "nothing in it fits the question",
    "no-network": "it speaks of no network",
    "no-registry": "no registry answers for the address",
    "wrong-network": "it speaks of another network",
    "wrong-class": "it speaks of another kind of thing",
    "wrong-entity": "it speaks of another contact",
    "error-object": "it is an error message",
    "empty": "it is empty",
    "too-large": "it is too large",
    "search": "the search was not answered as asked",
    "limit": "it says that a limit was reached",
    "rate-limit-notice": "it says that a limit was reached",
    "bad-redirect": "it leads to another server that cannot be read",
    "downgrade": "it leads to another server without encryption",
    "redirect-loop": "it leads from server to server without end",
    "special-purpose": "the addresses serve a special purpose",
    "status 0": "no answer came",
}

AFTER = {
    "tier": "{mailbox} comes next: it is farther from the network ({tier}).",
    "answer": "{mailbox} comes next: the same answer names it, with less confidence ({confidence} of 100).",
    "confidence": "{mailbox} comes next: it is named in the same way, with less confidence ({confidence} of 100).",
    "order": "{mailbox} comes next: it stands after it.",
    "route": "{mailbox} comes next, although it is nearer to the network ({tier}): the route of the country goes first.",
}

BEFORE = {
    "dead": "{mailbox} comes before it, but mail to it came back or was refused.",
    "suppressed": "{mailbox} comes before it, but it is on the do-not-write list.",
    "rejected": "{mailbox} comes before it, but a person has said that it must not be written to.",
    "other": "{mailbox} comes before it, and was not taken when this was decided.",
}

ROUTES = {
    "direct": "Cases in {country} go to the contact of the network itself.",
    "direct_else": "Cases in {country} go to the contact of the network itself; without one, to {mailbox} ({title}).",
    "copy": "Cases in {country} go to the contact of the network itself, with a copy to {mailbox} ({title}).",
    "digest": "Cases in {country} go to the national team alone: {mailbox} ({title}).",
    "partner": "Cases in {country} go to a partner alone: {mailbox} ({title}).",
}
