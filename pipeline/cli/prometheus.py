"""`tocsin status --prometheus`: the figures in the text format that Prometheus reads (exposition format 0.0.4).

Written to stdout, to be put where node_exporter's textfile collector looks, or served by whatever runs the command.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from pipeline.audit.figures import Measure

PREFIX = "tocsin_"


class Figures(Collector):
    """A collector of the client library over figures that were counted already."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self.measures = measures

    def collect(self) -> Iterable[Metric]:
        for measure in self.measures:
            made = Metric(PREFIX + measure.name, measure.text, "counter" if measure.counter else "gauge")
            suffix = "_total" if measure.counter else ""
            for labels, value in measure.values:
                made.add_sample(made.name + suffix, dict(labels), value)
            yield made


def text(measures: Iterable[Measure]) -> str:
    """Return the figures as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(measures))
    return generate_latest(registry).decode()
