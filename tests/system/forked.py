"""Real commands, quickly: a process that has imported Tocsin once forks a child for each, and the child is the command.

The child does what `python -m pipeline ...` does, under the limits that a test sets, and may be killed or signalled: it is
not waited for before the test asks, so its number stays its own.  The forking process has one thread and no connection.
"""

import contextlib
import ctypes
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from tests.databases import ROOT
from tests.ran import Ran

LONGEST = 120.0  # seconds: a command that takes longer hangs
DRIVERS = ("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite")
CAPABILITIES = 0x20080522  # capset's version 3
READS_ANYTHING = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


@dataclass
class Running:
    """A command under way."""

    commands: "Commands"
    pid: int
    out: Path
    err: Path
    code: int | None = None  # once it has been heard that it ended

    def ended(self, seconds: float) -> Ran | None:
        """Wait at most so long for its end; None if it goes on."""
        if self.code is None:
            self.code = self.commands.ask({"wait": self.pid, "seconds": seconds})
        return None if self.code is None else Ran(self.code, _said(self.out), _said(self.err))

    def end(self) -> Ran:
        """Wait for its end.  Raises AssertionError, and kills it, if it hangs."""
        ran = self.ended(LONGEST)
        if ran is None:
            self.kill()
            raise AssertionError(f"it hung for {LONGEST:.0f} s; it said: {self.err.read_text('utf-8')}")
        return ran

    def send(self, number: signal.Signals) -> None:
        if self.code is None:
            os.kill(self.pid, number)

    def kill(self) -> Ran:
        """End it at once, wherever it is."""
        self.send(signal.SIGKILL)
        ran = self.ended(LONGEST)
        assert ran is not None
        return ran

    def kill_after(self, seconds: float) -> Ran:
        """End it at once after so long, unless it has ended."""
        return self.ended(seconds) or self.kill()


def _said(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""  # it was killed before it could open its streams


class Commands:
    """The forking process, as a test sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        line = (sys.executable, "-m", "tests.system.forked")
        self.process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True
        )

    def ask(self, request: Mapping[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(
        self,
        config: Path,
        *line: str,
        environment: Mapping[str, str] | None = None,
        largest_file: int = 0,
        reads_anything: bool = True,
        module: str = "pipeline",
    ) -> Running:
        """Start `tocsin LINE --config CONFIG`, or another module so; `largest_file` in bytes, 0 for no limit."""
        self.count += 1
        out, err = (self.folder / f"{self.count}.{name}" for name in ("out", "err"))
        request = {
            "start": [*line, "--config", str(config), "--lang", "en"],
            "out": str(out),
            "err": str(err),
            "environment": dict(environment or {}),
            "largest_file": largest_file,
            "reads_anything": reads_anything,
            "module": module,
        }
        return Running(self, self.ask(request), out, err)

    def close(self) -> None:
        self.process.communicate()


@contextlib.contextmanager
def commands() -> Iterator[Commands]:
    """Run the forking process for the block."""
    with tempfile.TemporaryDirectory(prefix="tocsin-said-") as folder:
        made = Commands(Path(folder))
        try:
            yield made
        finally:
            made.close()


# --- the forking process ---------------------------------------------------------------------------------------------


def main() -> None:
    """Answer requests until stdin ends; in a child this returns by the SystemExit of its command."""
    from pipeline.cli import COMMANDS

    for module in (*(place.partition(":")[0] for place, _ in COMMANDS.values()), *DRIVERS):
        import_module(module)
    assert threading.active_count() == 1
    children: set[int] = set()
    for text in sys.stdin:
        request = json.loads(text)
        if "wait" in request:
            answer = _wait(request["wait"], request["seconds"], children)
        else:
            answer = os.fork()
            if answer == 0:
                _become(request)
            children.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:  # a test failed and left them
        os.kill(pid, signal.SIGKILL)


def _wait(pid: int, seconds: float, children: set[int]) -> int | None:
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            children.discard(pid)
            return os.waitstatus_to_exitcode(status)
        left = until - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(left, 0.01))


def _become(request: Mapping[str, Any]) -> NoReturn:
    """Be the command, from here to the end of the process."""
    for descriptor, path in enumerate((os.devnull, request["out"], request["err"])):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
    os.environ.update(request["environment"])
    if request["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
    if not request["reads_anything"]:
        _read_as_others_do()
    sys.argv = ["tocsin", *request["start"]]
    runpy.run_module(request["module"], run_name="__main__")
    raise SystemExit(0)


def _read_as_others_do() -> None:
    """Give up root's right to read files whose mode forbids it (capabilities(7)); nothing for other users."""
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(CAPABILITIES, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(head, sets):
        raise OSError(ctypes.get_errno(), "capget")
    sets[0] &= ~READS_ANYTHING
    if libc.capset(head, sets):
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    main()
