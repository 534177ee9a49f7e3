"""`tocsin version`: which release this is."""

import platform
from importlib.metadata import version as installed

import click

from pipeline.cli import show
from pipeline.cli.command import Command


@click.command(cls=Command)
def version() -> None:
    """Print the version."""
    release = installed("tocsin")
    show.emit({"version": release, "python": platform.python_version()}, lambda: [f"tocsin {release}"])
