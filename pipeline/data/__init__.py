"""Dated facts, each with its source: topics, DNSBL zones, special-purpose ranges.  Files are data; `*.py` here only read them.

Nothing here decides, and nothing here is read twice: a fact that changes (a zone that closes, a range that is assigned)
is one line in a TOML or CSV file, with the date and the place it was read.
"""
