"""`tocsin registry`: what registries publish of all that they have registered."""

import click

from pipeline.cli.command import Group
from pipeline.cli.registry_import import import_


@click.group(cls=Group)
def registry() -> None:
    """Registries: what waits for them, and what was imported of them."""


registry.add_command(import_)
