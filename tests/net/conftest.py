"""What the tests of the edges share: a clock that stands still, the asking of a batch of questions, a mail server."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain import Clock
from pipeline.net.edge import Edge
from pipeline.sandbox.mail_rules import Rule
from pipeline.sandbox.mail_server import MailServer, serve
from pipeline.sandbox.thread import in_thread
from tests.net.scripted import Relay, Start
from tests.system.presence import needs


@pytest.fixture
def clock(now: datetime) -> Clock:
    return lambda: now


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket on loopback that does not wait for ever for a client."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.settimeout(20)
        yield opened


@pytest.fixture
def ask() -> Callable[[Edge[Any, Any], list[Any]], list[Any]]:
    """Put all questions to an edge that is not entered yet; return the answers in the order they came."""

    def asked(edge: Edge[Any, Any], questions: list[Any]) -> list[Any]:
        answers: list[Any] = []
        with edge:
            for question in questions:
                edge.ask(question)
            while len(answers) < len(questions):
                taken = edge.take(timeout=20)
                assert taken, f"only {len(answers)} of {len(questions)} answers came"
                answers += taken
            edge.done(len(answers))
        return answers

    return asked


@pytest.fixture(params=["uvloop", "asyncio"])
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is run on the loop of uvloop, and on the one that is used where uvloop cannot be had."""
    if request.param == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Callable[..., MailServer]]:
    with contextlib.ExitStack() as stack:

        def start(rules: dict[str, Rule] | None = None, folder: str = "sink", **settings: Any) -> MailServer:
            maildir = tmp_path / folder / "mail"
            return stack.enter_context(in_thread(serve(rules or {}, maildir, **settings)))

        yield start


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def started(*given: Any, **more: Any) -> Relay:
            relay = Relay(*given, **more)
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            relay.port = listener.getsockname()[1]
            thread = threading.Thread(target=relay.accept, args=(listener,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return relay

        yield started


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A relay's certificate, which nobody vouches for."""
    openssl = needs("openssl", shutil.which("openssl"))
    folder = tmp_path_factory.mktemp("tls")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=relay.example", "-keyout", "key.pem", "-out", "relay.pem"]
    subprocess.run([openssl, *words, *names], cwd=folder, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "relay.pem", folder / "key.pem")
    return context
