"""Databases for tests: where migrations lie, where a server's data go, how a database is made and dropped on one."""

import shutil
import tempfile
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

ROOT = Path(__file__).parent.parent
MIGRATIONS = ROOT / "migrations"
MEMORY = Path("/dev/shm")  # a file system in memory, where the system has one
ROOM = 2 << 30  # bytes: of a server whose databases are small, most is its log, which it cuts off at one GiB


def named(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def data_folder() -> Path:
    """Make a folder for a server's data, in memory where there is room: each test's database is a thousand small files."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-", dir=MEMORY if roomy else None))
    folder.chmod(0o755)  # the server may run as another user
    return folder


def administer(server: str, statement: str) -> None:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
