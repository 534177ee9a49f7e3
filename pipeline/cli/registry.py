"""`tocsin registry`: what registries publish of all that they have registered, and what waits for them.

`status` reads only, and asks nobody: the queue, the budgets and IANA's lists as they are stored.
"""

import click

from pipeline.cli import context, show, waiting, waiting_shown
from pipeline.cli.command import Command, Group
from pipeline.cli.progress import progress
from pipeline.cli.registry_import import import_


@click.group(cls=Group)
def registry() -> None:
    """Registries: what waits for them, and what was imported of them."""


registry.add_command(import_)


@registry.command("status", cls=Command)
def status() -> None:
    """Say what waits for each registry, how long its limits make it take, and how old the lists and dumps are.

    A network is counted once for each range that one answer may speak for. Nobody is asked anything.
    """
    with context.opened() as ground, progress() as tell:
        found = waiting.gather(ground, context.clock(), tell)
    show.emit(waiting_shown.plain(found), lambda: waiting_shown.told(found))
