"""People who act here: their roles, and what proves that it is them.

Reads and writes: persons, and an event for each change; names stand in events only as kept texts.  A person is never
removed, only disabled: what they did stays theirs.  Safe to repeat: a name is unique, disabling twice changes nothing.
Passwords are argon2id (RFC 9106, the low-memory parameters); a signature's principal is a name in the allowed-signers file.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, func, insert, select, update

from pipeline.domain import ConfigurationError, NotFound
from pipeline.store import events
from pipeline.store.db import rows
from pipeline.store.tables import persons


class Role(StrEnum):
    OFFICER = "officer"
    APPROVER = "approver"
    OPERATOR = "operator"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Person:
    """One registered person.  `principal` and `password_hash` are empty where that proof is not theirs."""

    id: int
    name: str
    role: Role
    principal: str
    password_hash: str = field(repr=False)
    created_at: datetime
    disabled_at: datetime | None

    @property
    def by(self) -> str:
        """How events name this person."""
        return f"person:{self.id}"


def add(
    connection: Connection, name: str, role: Role, password_hash: str, principal: str, now: datetime, by: str
) -> int:
    """Register a person and return the id.  Raises ConfigurationError if the name is taken."""
    if by_name(connection, name) is not None:
        raise ConfigurationError(
            f"There is a person called {name} already",
            "names are unique, also of disabled persons",
            "Take another name.",
        )
    values = {"name": name, "role": role.value, "password_hash": password_hash, "principal": principal}
    row = insert(persons).values(created_at=now, **values).returning(persons.c.id)
    person_id = int(connection.execute(row).scalar_one())
    data = {
        "name": events.keep_text(connection, "person", name, now),
        "role": role.value,
        "password": bool(password_hash),
        "principal": events.keep_text(connection, "person", principal, now) if principal else "",
    }
    events.write(connection, [events.Entry("person.added", "person", person_id, data=data)], now, by)
    return person_id


def disable(connection: Connection, name: str, now: datetime, by: str) -> bool:
    """Say that a person no longer acts here; False if that was said before.  Raises NotFound."""
    person = by_name(connection, name)
    if person is None:
        raise NotFound(f"There is no person {name}", "", "Run: tocsin person list")
    change = update(persons).where(persons.c.id == person.id, persons.c.disabled_at.is_(None))
    if connection.execute(change.values(disabled_at=now)).rowcount == 0:
        return False
    events.write(connection, [events.Entry("person.disabled", "person", person.id)], now, by)
    return True


def by_name(connection: Connection, name: str) -> Person | None:
    """Return the person of that name, disabled or not, or None."""
    return next((_person(row) for row in rows(connection, select(persons).where(persons.c.name == name))), None)


def by_id(connection: Connection, person_id: int) -> Person | None:
    """Return the person of that id, or None."""
    return next((_person(row) for row in rows(connection, select(persons).where(persons.c.id == person_id))), None)


def everyone(connection: Connection) -> list[Person]:
    """Return all persons, in the order in which they came."""
    return [_person(row) for row in rows(connection, select(persons).order_by(persons.c.id))]


def approvers(connection: Connection) -> int:
    """Return how many persons may approve now."""
    query = select(func.count()).where(persons.c.role == Role.APPROVER, persons.c.disabled_at.is_(None))
    return int(connection.execute(query).scalar_one())


def _person(row: dict[str, object]) -> Person:
    return Person(**{**row, "role": Role(str(row["role"]))})  # type: ignore[arg-type]


def hash_password(password: str) -> str:
    """Return what is stored of a password."""
    return PasswordHasher().hash(password)


def fits(person: Person, password: str) -> bool:
    """True if the password is the person's; False where the person has none."""
    try:
        return PasswordHasher().verify(person.password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
