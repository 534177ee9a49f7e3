"""`tocsin person`: who acts here, in which role, and what proves that it is them.

A password is read from the terminal, or as one line from stdin; it is never an argument, where others could read it.
"""

import getpass
import re
import sys

import click

from pipeline.cli import context, show, words
from pipeline.cli.command import Group, argument, option
from pipeline.cli.states import said
from pipeline.store import persons
from pipeline.store.persons import Role

NAME = re.compile(r"[^\W_][\w .'@+-]{0,99}")
PRINCIPAL = re.compile(r"[!-+\--~]{1,200}")  # ssh-keygen(1), allowed signers: no blank, no comma
SHORTEST_PASSWORD = 12


@click.group(cls=Group)
def person() -> None:
    """The people who act here, and their roles."""


@person.command(
    examples=(
        "tocsin person add alice --role approver --principal alice@agency.example",
        "tocsin person add bob --role officer --password",
    )
)
@argument("name", metavar="NAME", help="As --as takes it; the system's user name is found by itself.")
@option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What the person does here.")
@option("--password", is_flag=True, help="Read a password, from the terminal or as one line from stdin.")
@option("--principal", default="", metavar="PRINCIPAL", help="The person's name in the allowed-signers file.")
def add(name: str, role: str, password: bool, principal: str) -> None:
    """Register a person.

    An approver proves who they are by a signature (--principal), which is stronger, or by a password.
    """
    if not NAME.fullmatch(name):
        raise click.BadParameter("a name has letters, digits, blanks and . ' @ + - _", param_hint=words.text("NAME"))
    if principal and not PRINCIPAL.fullmatch(principal):
        raise click.BadParameter("a principal has no blank and no comma", param_hint="--principal")
    hashed = persons.hash_password(read_password()) if password else ""
    with context.opened() as ground:
        by = ground.by()
        with ground.db.write() as connection:
            person_id = persons.add(connection, name, Role(role), hashed, principal, context.clock(), by)
    show.emit(
        {"id": person_id, "name": name, "role": role},
        lambda: [words.text("{name} is registered ({role})", name=name, role=said("role", role))],
    )


def read_password() -> str:
    """Return a password.  Raises BadParameter if it is too short, or was not typed twice alike."""
    if sys.stdin.isatty():
        password = getpass.getpass(words.text("Password: "))
        if getpass.getpass(words.text("The same again: ")) != password:
            raise click.BadParameter("the two passwords differ", param_hint="--password")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < SHORTEST_PASSWORD:
        raise click.BadParameter("a password has 12 characters or more", param_hint="--password")
    return password


@person.command("list")
def list_() -> None:
    """List everybody who was ever registered."""
    with context.opened() as ground, ground.db.read() as connection:
        found = persons.everyone(connection)
    shown = [
        {
            "id": person.id,
            "name": person.name,
            "role": person.role.value,
            "principal": person.principal,
            "password": bool(person.password_hash),
            "created_at": person.created_at,
            "disabled_at": person.disabled_at,
        }
        for person in found
    ]
    show.emit(
        {"persons": shown},
        lambda: show.table(
            words.each("id", "name", "role", "proof", "since", "disabled"),
            [(p.id, p.name, said("role", p.role), proof(p), p.created_at, p.disabled_at) for p in found],
        ),
    )


def proof(person: persons.Person) -> str:
    """Say what proves that it is this person."""
    if person.principal:
        return words.text("signature")
    return words.text("password") if person.password_hash else words.text("no proof")


@person.command()
@argument("name", metavar="NAME", help="A registered person.")
def disable(name: str) -> None:
    """Say that a person no longer acts here; what they did stays theirs."""
    with context.opened() as ground:
        by = ground.by()
        with ground.db.write() as connection:
            new = persons.disable(connection, name, context.clock(), by)
    show.emit(
        {"name": name, "disabled": True, "new": new},
        lambda: [words.text("{name} no longer acts here", name=name)],
    )
