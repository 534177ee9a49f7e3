"""Tocsin: security notification campaigns.  The five stages, in order, and what each reads and writes.

    ingest    feeds and DNSBL answers       ->  observations, targets, cases (SEEN)
    resolve   cases SEEN                    ->  netblocks, ranked abuse contacts, cases RESOLVED or NO_CONTACT
    verify    cases due                     ->  checks, the exposure of each case
    render    notices of a planned wave     ->  letters (DRAFTED), exact bytes
    send      letters of a released wave    ->  delivery attempts, letters HANDED, DEFERRED, REFUSED, UNCERTAIN ...

Between render and send stand people: nothing leaves before it is approved.  Every stage may be run alone, run
twice, run by two at once, and stopped at any line; stages meet in the database and never import one another.
"""
