"""A real Postfix as the relay: letters go through it into the sandbox's mail server, and keep their bytes."""

import hashlib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.domain import Go, Ready, Result, Send
from pipeline.net.sendmail import SendmailSettings, hand
from pipeline.net.smtp import RelaySettings, edge
from pipeline.render.body_hash import body_hash
from pipeline.sandbox.mail_rules import BOUNCE, REFUSE, Rule
from pipeline.sandbox.mail_server import MailServer, serve
from pipeline.sandbox.thread import in_thread
from pipeline.send.dkim import header_block, signature_lines
from tests.send.signers import passes, signers
from tests.system.presence import needs

DAEMONS = Path("/usr/lib/postfix/sbin")
HOST = "127.0.0.25"  # not 127.0.0.1, where others are given the ports that seemed free a moment ago
TO = "abuse@isp.example"
MAIN = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.agency.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = {restrictions}
smtpd_data_restrictions = reject_unauth_pipelining
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:no local
transport_maps = inline:{{ isp.example=smtp:[127.0.0.1]:{sink} }}
default_transport = error:5.1.2 nothing but isp.example
relay_transport = error:5.1.2 nothing but isp.example
disable_dns_lookups = yes
smtp_tls_security_level = none
smtpd_tls_security_level = none
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
message_size_limit = 200000
"""
RESTRICTIONS = (
    "check_recipient_access inline:{ no@isp.example=REJECT, later@isp.example=DEFER },"
    " check_sender_access inline:{ banned@agency.example=REJECT }"
)
MASTER = """{host}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    port: int
    sink: MailServer
    conf: Path

    @property
    def settings(self) -> RelaySettings:
        return RelaySettings(HOST, self.port, ehlo_name="out.agency.example", connections=2, timeout=30.0)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    """A running Postfix with a queue of its own, and behind it a sink that knows what to do with some mailboxes."""
    program = needs("postfix", shutil.which("postfix", path="/usr/sbin:/sbin:/usr/local/sbin"))
    needs("root, who must start Postfix,", program if os.geteuid() == 0 else None)
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postfix-"))  # Postfix drops its privileges: others must get in here
    folder.chmod(0o755)
    rules: dict[str, Rule] = {"gone@isp.example": REFUSE, "bounce@isp.example": BOUNCE}
    try:
        with in_thread(serve(rules, folder / "mail")) as sink:
            port = configure(folder, program, sink.port)
            server = subprocess.Popen(
                [DAEMONS / "master", "-c", folder / "conf", "-d"],
                start_new_session=True,  # it signals its own process group
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                answers(server, port, folder / "log")
                yield Postfix(port, sink, folder / "conf")
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def configure(folder: Path, program: str, sink: int) -> int:
    """Write the configuration, let Postfix make its queue, and return the port it is told to listen on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    for name in ("conf", "queue", "data"):
        (folder / name).mkdir(mode=0o755)
    owner = pwd.getpwnam("postfix")
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    main = MAIN.format(folder=folder, daemons=DAEMONS, sink=sink, restrictions=RESTRICTIONS)
    (folder / "conf" / "main.cf").write_text(main)
    (folder / "conf" / "master.cf").write_text(MASTER.format(host=HOST, port=port))
    made = subprocess.run([program, "-c", folder / "conf", "check"], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    return port


def answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until it greets, at most 30 seconds."""
    for _ in range(300):
        assert server.poll() is None, log.read_text() if log.exists() else "it ended without a word"
        try:
            with smtplib.SMTP(HOST, port, "probe.agency.example", timeout=5) as client:
                client.noop()
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def hand_over(settings: RelaySettings, *letters: Send) -> dict[int, Result]:
    results: dict[int, Result] = {}
    with edge(settings) as wire:
        wire.tell_all(letters)
        for _ in range(600):
            for answer in wire.take(0.1):
                if isinstance(answer, Ready):
                    wire.tell_all([Go(answer.letter_id)])
                else:
                    results[answer.letter_id] = answer
            if len(results) == len(letters):
                return results
    raise AssertionError(f"{len(results)} results of {len(letters)}")


def wait_for(maildir_of: MailServer, recipient: str, count: int = 1, bounces: bool = False) -> list[bytes]:
    """Return the files of messages to `recipient` once there are `count` of them, waiting at most 60 seconds."""
    folder = (maildir_of.bounces if bounces else maildir_of.maildir) / "new"
    found: list[bytes] = []
    for _ in range(600):
        files = [path.read_bytes() for path in sorted(folder.iterdir())]
        found = [file for file in files if f"\r\nX-Envelope-To: {recipient}\r\n".encode() in file]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{len(found)} of {count}")


def letter(number: int, recipient: str, body: bytes = b"Hello\r\n", sender: str = "v1@agency.example") -> Send:
    head = f"From: CSIRT <csirt@agency.example>\r\nTo: {recipient}\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n"
    data = head.encode() + f"Message-ID: <{number}@agency.example>\r\nSubject: Test\r\n\r\n".encode() + body
    return Send(number, number, sender, recipient, data, envid=f"e{number}")


BODIES = [
    b"Hello\r\n",
    b".\r\n..\r\n.x\r\nFrom here\r\n>From there\r\n",
    "Objet : d\u00e9j\u00e0 vu\u00a0!\r\n".encode(),
    bytes(range(160, 256)) + b"\r\n",
    b"x" * 990 + b"\r\n" + (b"line of text \t\r\n" * 5000) + b"\r\n\r\n",
]


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_a_letter_passes_a_real_relay_with_its_bytes_unchanged_under_the_trace_headers(
    postfix: Postfix, number: int
) -> None:
    sent = letter(100 + number, f"bytes{number}@isp.example", BODIES[number])
    result = hand_over(postfix.settings, sent)[sent.letter_id]
    assert (result.stage, result.reply, result.enhanced, result.dot_written) == ("dot", 250, "2.0.0", True)
    assert result.text.startswith("Ok: queued as ")
    [file] = wait_for(postfix.sink, sent.recipient)
    envelope, received = file.split(b"Received: ", 1)
    assert envelope.startswith(b"Return-Path: <v1@agency.example>\r\n")
    assert received.endswith(sent.data)
    trace = received.removesuffix(sent.data)
    assert trace.startswith(b"from out.agency.example (")
    assert all(line.startswith((b"\t", b"from ")) for line in trace.rstrip(b"\r\n").split(b"\r\n"))


def test_many_letters_over_two_connections_arrive_once_each(postfix: Postfix) -> None:
    letters = [letter(n, "many@isp.example") for n in range(200, 230)]
    results = hand_over(postfix.settings, *letters)
    assert {(result.stage, result.reply) for result in results.values()} == {("dot", 250)}
    files = wait_for(postfix.sink, "many@isp.example", len(letters))
    arrived = Counter(hashlib.sha256(file[file.index(b"From: CSIRT") :]).hexdigest() for file in files)
    assert arrived == Counter(hashlib.sha256(each.data).hexdigest() for each in letters)


def test_what_the_relay_refuses_is_told_apart_and_the_next_letter_goes_through(postfix: Postfix) -> None:
    letters = [
        letter(300, "no@isp.example"),
        letter(301, "later@isp.example"),
        letter(302, TO, sender="banned@agency.example"),
        letter(303, TO, b"y" * 300_000 + b"\r\n"),
        letter(304, "last@isp.example"),
    ]
    one = replace(postfix.settings, connections=1)
    results = hand_over(one, *letters)
    assert {n: (r.stage, r.reply, r.enhanced) for n, r in results.items() if n != 304} == {
        300: ("rcpt", 554, "5.7.1"),
        301: ("rcpt", 450, "4.7.1"),
        302: ("rcpt", 554, "5.7.1"),  # Postfix judges the sender at RCPT
        303: ("mail", 552, "5.3.4"),
    }
    assert results[304].reply == 250
    assert len(wait_for(postfix.sink, "last@isp.example")) == 1


def test_a_final_refusal_behind_the_relay_comes_back_to_the_envelope_sender(postfix: Postfix) -> None:
    sender = "v400@isp.example"  # a mailbox that the sink takes mail for
    results = hand_over(postfix.settings, letter(400, "gone@isp.example", sender=sender))
    assert results[400].reply == 250  # handed over; what comes later is another matter
    [bounce] = wait_for(postfix.sink, sender)
    assert bounce.startswith(b"Return-Path: <>\r\n")
    assert b"Original-Envelope-Id: e400\r\n" in bounce
    assert b"Final-Recipient: rfc822; gone@isp.example\r\n" in bounce
    assert b"Status: 5.1.1\r\n" in bounce
    assert b"<400@agency.example>" in bounce


def test_dsn_parameters_pass_the_relay_to_the_server_that_bounces(postfix: Postfix) -> None:
    hand_over(postfix.settings, letter(401, "bounce@isp.example"))
    [bounce] = wait_for(postfix.sink, "v1@agency.example", bounces=True)
    assert b"Original-Envelope-Id: e401\r\n" in bounce
    assert b"Original-Recipient: rfc822;bounce@isp.example\r\n" in bounce


def by_program(postfix: Postfix) -> SendmailSettings:
    return SendmailSettings("local", ("/usr/sbin/sendmail", "-C", str(postfix.conf)), dsn=True, timeout=60.0)


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_a_letter_by_sendmail_arrives_with_its_bytes_and_its_signatures(postfix: Postfix, number: int) -> None:
    plain = letter(500 + number, f"program{number}@isp.example", BODIES[number])
    keys, at = signers(), datetime(2026, 3, 2, 10, tzinfo=UTC)
    lines = signature_lines(header_block(plain.data), body_hash(plain.data), keys, at)
    sent = replace(plain, data=lines + plain.data)
    result = hand(by_program(postfix), sent)
    assert (result.stage, result.reply, result.dot_written) == ("dot", 250, True), result.text
    [file] = wait_for(postfix.sink, sent.recipient)
    assert file.startswith(b"Return-Path: <v1@agency.example>\r\n")
    assert file.endswith(sent.data)
    assert passes(file, keys) == [True, True]


def test_a_bounce_of_a_letter_by_sendmail_names_its_envelope(postfix: Postfix) -> None:
    sender = "v510@isp.example"
    assert hand(by_program(postfix), letter(510, "gone@isp.example", sender=sender)).reply == 250
    [bounce] = wait_for(postfix.sink, sender)
    assert b"Original-Envelope-Id: e510\r\n" in bounce


def test_a_letter_that_sendmail_does_not_take_is_not_handed_over(postfix: Postfix) -> None:
    result = hand(by_program(postfix), letter(511, TO, b"y" * 300_000 + b"\r\n"))
    assert (result.reply, result.dot_written) == (451, False)
    assert "message file too big" in result.text
