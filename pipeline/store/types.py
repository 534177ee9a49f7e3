"""Two column types that mean the same on both databases, and how their values are written in bulk.

Address: INET on PostgreSQL; on SQLite 16 bytes, IPv4 as ::ffff:a.b.c.d, so that bytes sort in address order and a
range is two such columns.  Instant: timestamptz on PostgreSQL; on SQLite integer microseconds since 1970 in UTC.  A
naive time is refused.  `Id` is a 64-bit key made by the database.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary
from sqlalchemy.dialects.postgresql import INET, TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

from pipeline import domain

Id = BigInteger().with_variant(Integer(), "sqlite")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
V4_PREFIX = b"\x00" * 10 + b"\xff\xff"


def address_bytes(address: domain.Address) -> bytes:
    """Return the 16 bytes that stand for `address` on SQLite (RFC 4291 section 2.5.5.2 for IPv4)."""
    packed = address.packed
    return packed if len(packed) == 16 else V4_PREFIX + packed


def address_of(value: bytes) -> domain.Address:
    """Return the address that 16 bytes stand for; v4-mapped bytes are the IPv4 address."""
    return IPv4Address(value[12:]) if value.startswith(V4_PREFIX) else IPv6Address(value)


def microseconds(at: datetime) -> int:
    """Return microseconds since 1970 in UTC.  Raises ValueError if `at` has no zone."""
    if at.tzinfo is None:
        raise ValueError(f"a time without a zone: {at!r}")
    return (at - EPOCH) // MICROSECOND


class Address(TypeDecorator[domain.Address]):
    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(INET() if dialect.name == "postgresql" else LargeBinary(16))

    def process_bind_param(self, value: domain.Address | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return address_bytes(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> domain.Address | None:
        if value is None:
            return None
        if isinstance(value, bytes):
            return address_of(value)
        return value if isinstance(value, IPv4Address | IPv6Address) else ip_address(str(value).split("/")[0])


class Instant(TypeDecorator[datetime]):
    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        stamp = microseconds(value)  # refuses a naive time on both databases
        return value if dialect.name == "postgresql" else stamp

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return EPOCH + timedelta(microseconds=value)
