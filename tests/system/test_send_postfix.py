"""`tocsin send` into a real Postfix, which passes letters on, is refused some and keeps others; its own log then says what
became of each, also of those that a killed sender left in doubt."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.sandbox.mail_rules import FULL, REFUSE, Rule
from pipeline.sandbox.mail_server import MailServer, serve
from pipeline.sandbox.thread import in_thread
from tests.system.conftest import Databases
from tests.system.forked import Commands
from tests.system.mailing import SEND, mailing
from tests.system.presence import needs
from tests.system.test_postfix import DAEMONS, HOST, answers, configure

LETTERS, CONNECTIONS = 60, 10
GONE, BUSY = "abuse@isp7.example", "abuse@isp8.example"
TO_ALL = "transport_maps = inline:{{ .example=smtp:[127.0.0.1]:{sink} }}\n"  # the later line of two counts


@dataclass(frozen=True, slots=True)
class Relay:
    port: int
    log: Path
    sink: MailServer  # the recipients' servers

    def until_done(self, queued: int) -> str:
        """Wait, at most 60 seconds, until it has tried to pass on as many letters as it took; returns its log."""
        said = ""
        for _ in range(600):
            said = self.log.read_text("utf-8", "replace")
            if said.count(", status=") >= said.count("(queue active)") >= queued:
                return said
            time.sleep(0.1)
        raise AssertionError(said)


@pytest.fixture
def relay() -> Iterator[Relay]:
    program = needs("postfix", shutil.which("postfix", path="/usr/sbin:/sbin:/usr/local/sbin"))
    needs("root, who must start Postfix,", program if os.geteuid() == 0 else None)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postfix-"))
    folder.chmod(0o755)
    rules: dict[str, Rule] = {GONE: REFUSE, BUSY: FULL}
    try:
        with in_thread(serve(rules, folder / "mail")) as sink:
            port = configure(folder, program, sink.port)
            with (folder / "conf" / "main.cf").open("a") as more:
                more.write(TO_ALL.format(sink=sink.port))
            line = (DAEMONS / "master", "-c", folder / "conf", "-d")
            server = subprocess.Popen(line, start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                answers(server, port, folder / "log")
                yield Relay(port, folder / "log", sink)
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def test_what_a_real_relay_took_from_a_sender_that_was_killed_arrives_once_and_its_log_says_of_each_what_became_of_it(
    commands: Commands, databases: Databases, relay: Relay
) -> None:
    with mailing(commands, databases.new, LETTERS) as m:
        m.change({"mail": {"relay": {"host": HOST, "port": relay.port}}})
        running = m.start(*SEND)
        m.until("SELECT count(*) > 15 FROM letters WHERE state = 'handed'", running)
        assert running.kill().code == -9
        in_doubt = m.open_dots()
        assert len(in_doubt) <= CONNECTIONS
        m.must(*SEND)
        handed = m.states()["handed"]
        assert m.states() == Counter(handed=handed, uncertain=len(in_doubt))
        relay.until_done(handed)
        uncertain = set(m.uncertain().values())

        m.must("relay-log", "import", str(relay.log), "--own", "10.0.0.0/8")
        ours = {row["message_id"] for row in m.query("SELECT message_id FROM letters")}
        arrived = Counter(kept.message_id for kept in relay.sink.messages() if kept.message_id in ours)
        assert set(arrived.values()) == {1}
        states = {row["recipient"]: row["state"] for row in m.query("SELECT recipient, state FROM letters")}
        assert (states[GONE], states[BUSY]) == ("bounced", "handed")
        assert Counter(states.values())["accepted"] == len(arrived)
        assert set(m.uncertain().values()) <= uncertain - set(arrived)
        assert len(arrived) + len(m.uncertain()) == LETTERS - 2
        words = " ".join(m.must("who", GONE).out.split())
        assert "550 5.1.1 No such mailbox here" in words
        assert m.must("relay-log", "import", str(relay.log), "--own", "10.0.0.0/8", "--json").data["moved"] == {}
