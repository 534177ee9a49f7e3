"""The parsers by the name that a feed's declaration uses.  Each takes lines and yields observations and rejects.

Every parser is pure and streaming, never raises for what stands in a line, and yields at most one record for a line, in
the order of the lines.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from pipeline.domain import Observation, Reject
from pipeline.ingest import csv_feed, proxy_list, shadowserver
from pipeline.ingest.lines import Line
from pipeline.ingest.shape import FeedShape

Parser = Callable[[Iterable[Line], FeedShape], Iterator[Observation | Reject]]

PARSERS: Mapping[str, Parser] = {
    "csv": csv_feed.parse,
    "ip": proxy_list.parse_addresses,
    "ip_port": proxy_list.parse,
    "shadowserver": shadowserver.parse,
}
