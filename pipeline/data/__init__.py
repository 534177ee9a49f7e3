"""Dated facts, each with its source: topics, DNSBL zones, special-purpose ranges.  Code here only reads them.

Nothing here decides, and no fact stands in code: one that changes (a zone that closes, a range that is assigned) is
one line in a TOML or CSV file, with the date and the place it was read.
"""
