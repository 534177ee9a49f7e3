"""Measurements: `python -m bench.NAME [--quick] [--json]`.  Each compares with its limit or peer in the same run."""
