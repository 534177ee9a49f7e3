"""TLS and AUTH: who is trusted, what is never said in clear, and what is recorded of the connection."""

import hashlib
import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain import ConfigurationError, Stop
from pipeline.net.smtp import RelaySettings, relay
from pipeline.sandbox.mail_rules import ACCEPT, Rule
from tests.net.handed import HEAD, Sink, hand_over, letter, settings_for
from tests.system.presence import needs


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, and server.pem (key and certificate) for 127.0.0.1, good for two days."""
    openssl = needs("openssl", shutil.which("openssl"))
    folder = tmp_path_factory.mktemp("ca")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san.txt"]
    commands = [
        ["req", "-x509", *curve, "-days", "2", "-subj", "/CN=Sandbox CA", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *curve, "-subj", "/CN=mx.sandbox.example", "-keyout", "server.key", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", *signed, "-out", "server.crt"],
    ]
    (folder / "san.txt").write_text("subjectAltName=IP:127.0.0.1\n")
    for command in commands:
        subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True)
    (folder / "server.pem").write_bytes((folder / "server.key").read_bytes() + (folder / "server.crt").read_bytes())
    return folder


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority / "server.pem")
    return context


@pytest.mark.usefixtures("each_loop")
def test_a_verified_relay_gets_the_letters_over_tls(sink: Sink, tls: ssl.SSLContext, authority: Path) -> None:
    server = sink(tls=tls)
    verified = settings_for(server, tls="verified", ca_file=str(authority / "ca.pem"), connections=2)
    data = HEAD + b"line\r\n" * 50_000
    results = hand_over(verified, letter(1, data=data), *(letter(n) for n in range(2, 9)))
    assert {(result.reply, result.tls) for result in results} == {(250, "TLSv1.3")}
    assert hashlib.sha256(data).hexdigest() in {kept.sha256 for kept in server.messages()}
    assert len(server.messages()) == 8


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("rule", [Rule("drop", "dot"), Rule("stall", "data"), Rule("answer", "rcpt", "421 4.3.2 Bye")])
def test_trouble_over_tls_ends_as_without(sink: Sink, tls: ssl.SSLContext, rule: Rule) -> None:
    server = sink({"*": rule}, tls=tls)
    [result] = hand_over(settings_for(server, tls="required", timeout=1.0), letter())
    code = int(rule.reply[:3] or 0)
    assert (result.stage, result.reply, result.tls) == (rule.at, code, "TLSv1.3")


def test_stop_over_tls_delivers_nothing(sink: Sink, tls: ssl.SSLContext) -> None:
    server = sink(tls=tls)
    settings = settings_for(server, tls="required")
    [result] = hand_over(settings, letter(), decide=lambda ready: Stop(ready.letter_id))
    assert (result.stage, result.reply, result.dot_written) == ("data", 0, False)
    assert server.messages() == []


def test_a_certificate_that_is_not_trusted_or_not_for_this_host_is_refused(
    sink: Sink, tls: ssl.SSLContext, authority: Path
) -> None:
    server = sink(tls=tls)
    untrusted = settings_for(server, tls="verified")
    other_name = replace(untrusted, host="localhost", ca_file=str(authority / "ca.pem"))
    for settings in (untrusted, other_name):
        [result] = hand_over(settings, letter())
        assert (result.stage, result.reply, result.dot_written) == ("tls", 0, False)
        assert "certificate" in result.text.lower()
    assert server.messages() == []
    [result] = hand_over(replace(untrusted, tls="required"), letter())
    assert (result.reply, result.tls) == (250, "TLSv1.3")


@pytest.fixture
def fingerprint(authority: Path) -> str:
    certificate = ssl.PEM_cert_to_DER_cert((authority / "server.crt").read_text())
    return hashlib.sha256(certificate).hexdigest()


def test_with_a_fingerprint_that_certificate_is_taken_whoever_signed_it(
    sink: Sink, tls: ssl.SSLContext, fingerprint: str
) -> None:
    server = sink(tls=tls)
    [result] = hand_over(settings_for(server, tls="verified", fingerprint=fingerprint, host="localhost"), letter())
    assert (result.reply, result.tls) == (250, "TLSv1.3")


def test_with_a_fingerprint_no_other_certificate_is_taken_and_no_password_is_sent(
    sink: Sink, tls: ssl.SSLContext, authority: Path, fingerprint: str
) -> None:
    server = sink(tls=tls, users={"agency": "s3cret"})
    known = settings_for(server, tls="verified", username="agency", password="s3cret")
    other = replace(known, ca_file=str(authority / "ca.pem"), fingerprint="ab" * 32)
    [result] = hand_over(other, letter())
    assert (result.stage, result.reply, result.dot_written) == ("tls", 0, False)
    assert fingerprint in result.text
    assert "ab" * 32 in result.text
    assert "mail.relay.fingerprint" in result.text
    assert {line.split(" ")[0] for _, line in server.commands} == {"EHLO", "STARTTLS"}


def test_the_connection_is_known_with_its_cipher_and_certificate(
    sink: Sink, tls: ssl.SSLContext, fingerprint: str
) -> None:
    server = sink(tls=tls)
    results = hand_over(settings_for(server, tls="required", connections=1), letter(1), letter(2))
    assert results[0].connection == results[1].connection
    connection = results[0].connection
    assert connection is not None
    assert (connection.relay, connection.address) == (f"127.0.0.1:{server.port}", "127.0.0.1")
    assert (connection.tls, connection.certificate) == ("TLSv1.3", fingerprint)
    assert connection.cipher.startswith("TLS_")
    assert "PIPELINING" in connection.extensions
    assert "STARTTLS" not in connection.extensions  # those of the EHLO that counts
    assert [[said.command for said in result.said] for result in results] == [["mail", "rcpt", "data", "dot"]] * 2


def test_of_a_refused_login_the_encryption_is_known(sink: Sink, tls: ssl.SSLContext, fingerprint: str) -> None:
    server = sink(tls=tls, users={"agency": "s3cret"})
    [result] = hand_over(settings_for(server, tls="required", username="agency", password="other"), letter())
    assert result.connection is not None
    assert (result.connection.tls, result.connection.certificate) == ("TLSv1.3", fingerprint)
    [said] = result.said
    assert (said.command, said.code, said.enhanced) == ("auth", 535, "5.7.8")


@pytest.mark.parametrize("mode", ["required", "verified"])
def test_a_relay_without_starttls_gets_nothing_when_tls_is_required(sink: Sink, mode: str) -> None:
    server = sink()
    [result] = hand_over(settings_for(server, tls=mode), letter())
    assert (result.stage, result.reply) == ("tls", 0)
    assert not any(line.startswith("MAIL") for _, line in server.commands)


@pytest.mark.parametrize("reply", ["454 4.7.0 TLS not available", "502 5.5.1 no"])
def test_a_refused_starttls_is_not_followed_by_clear_text(sink: Sink, tls: ssl.SSLContext, reply: str) -> None:
    server = sink({"*": Rule("answer", "starttls", reply)}, tls=tls)
    [result] = hand_over(settings_for(server), letter())
    assert (result.stage, result.reply) == ("tls", int(reply[:3]))
    assert not any(line.startswith("MAIL") for _, line in server.commands)


@pytest.mark.usefixtures("each_loop")
def test_what_is_said_in_clear_after_starttls_is_thrown_away(sink: Sink, tls: ssl.SSLContext) -> None:
    server = sink({"*": Rule("raw", "starttls", "220 Go on\r\n250 2.0.0 injected\r\n")}, tls=tls)
    [result] = hand_over(settings_for(server, tls="required"), letter())
    assert (result.stage, result.reply, result.dot_written) == ("tls", 0, False)


def test_the_password_opens_the_relay_and_a_wrong_one_is_told_without_showing_it(
    sink: Sink, tls: ssl.SSLContext
) -> None:
    server = sink(tls=tls, users={"agency": "s3cret"})
    known = settings_for(server, tls="required", username="agency", password="s3cret")
    assert hand_over(known, letter())[0].reply == 250
    assert "s3cret" not in repr(known)
    [result] = hand_over(replace(known, password="other"), letter())
    assert (result.stage, result.reply, result.enhanced) == ("auth", 535, "5.7.8")


def test_an_echo_of_the_password_does_not_reach_the_result(sink: Sink) -> None:
    echo = "535 5.7.8 AUTH PLAIN AGFnZW5jeQBzM2NyZXQ= (s3cret) not known"
    server = sink({"*": Rule("answer", "auth", echo)}, users={"agency": "s3cret"})
    [result] = hand_over(settings_for(server, tls="none", username="agency", password="s3cret"), letter())
    assert result.text == "AUTH PLAIN [hidden] ([hidden]) not known"


def test_the_password_is_never_sent_in_clear_unless_tls_is_none(sink: Sink) -> None:
    server = sink(users={"agency": "s3cret"})
    settings = settings_for(server, username="agency", password="s3cret")
    [result] = hand_over(settings, letter())
    assert (result.stage, result.reply) == ("auth", 0)
    assert not any(line.startswith("AUTH") for _, line in server.commands)
    assert hand_over(replace(settings, tls="none"), letter())[0].reply == 250


def test_a_bad_certificate_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigurationError, match=name):
            relay(RelaySettings("127.0.0.1", 25, tls="verified", ca_file=str(tmp_path / name)))


def test_without_a_name_we_say_our_address(sink: Sink) -> None:
    server = sink({"*": ACCEPT})
    hand_over(settings_for(server, ehlo_name=""), letter())
    assert server.commands[0] == (1, "EHLO [127.0.0.1]")
