"""Several relays behind one edge: each letter goes over the one it was given, and their faults do not touch one another."""

from pathlib import Path

import pytest

from pipeline.domain import Go, Result, Send, Stop
from pipeline.net import letter_folder, smtp
from pipeline.net.edge import Edge
from pipeline.net.letter_folder import FolderSettings
from pipeline.net.relays import Transport, edge
from pipeline.net.smtp import Answer, Message
from tests.net.handed import Sink, collect, letter, settings_for


def over(name: str, number: int) -> Send:
    return letter(number, relay=name)


def test_each_letter_goes_over_the_relay_that_it_was_given(sink: Sink) -> None:
    servers = {name: sink(folder=name) for name in ("a", "b")}
    transports = {name: smtp.relay(settings_for(server)) for name, server in servers.items()}
    letters = [over("ab"[n % 2], n) for n in range(20)]
    with edge(transports, 8) as wire:
        wire.tell_all(letters)
        results = collect(wire, 20)
    assert {result.reply for result in results} == {250}
    for n, name in enumerate(("a", "b")):
        taken = sorted(kept.message_id for kept in servers[name].messages())
        assert taken == sorted(f"<{number}@agency.example>" for number in range(n, 20, 2))
    ports = {f"127.0.0.1:{server.port}": name for name, server in servers.items()}
    assert all("ab"[result.letter_id % 2] == ports[result.relay] for result in results)


def test_a_relay_that_is_gone_keeps_no_letter_of_another_one(sink: Sink, tmp_path: Path) -> None:
    server = sink(folder="a")
    gone = settings_for(server, port=1, timeout=5.0)
    (tmp_path / "letters").mkdir()
    folder = letter_folder.relay(FolderSettings("folder", tmp_path / "letters"))
    transports: dict[str, Transport] = {"a": smtp.relay(settings_for(server)), "b": smtp.relay(gone), "c": folder}
    with edge(transports, 8) as wire:
        wire.tell_all([over("abc"[n % 3], n) for n in range(9)])
        results = {result.letter_id: result for result in collect(wire, 9)}
    assert {n: (r.stage, r.reply) for n, r in results.items()} == {
        n: ("connect", 0) if n % 3 == 1 else ("dot", 250) for n in range(9)
    }


def test_stop_reaches_the_relay_of_its_letter(sink: Sink) -> None:
    transports = {name: smtp.relay(settings_for(sink(folder=name))) for name in ("a", "b")}
    with edge(transports, 8) as wire:
        wire.tell_all([over("a", 1), over("b", 2)])
        results = collect(wire, 2, lambda ready: Stop(2) if ready.letter_id == 2 else Go(1))
        wire.tell_all([Go(1), Stop(2)])  # of letters that have ended: nobody is told
        wire.tell_all([over("b", 1)])  # a letter may go over another relay once it has ended
        results += collect(wire, 1)
    assert [(r.letter_id, r.reply) for r in sorted(results[:2], key=lambda r: r.letter_id)] == [(1, 250), (2, 0)]
    assert (results[2].letter_id, results[2].reply) == (1, 250)


def test_a_letter_is_under_way_over_one_relay_alone(sink: Sink) -> None:
    transports = {name: smtp.relay(settings_for(sink(folder=name))) for name in ("a", "b")}

    def twice(wire: Edge[Message, Answer]) -> list[Answer]:
        with wire:
            wire.tell_all([over("a", 1), over("b", 1)])
            return wire.take(20)

    with pytest.raises(ExceptionGroup, match="unhandled") as raised:
        twice(edge(transports, 8))
    assert raised.group_contains(ValueError, match="letter 1 is under way already")


def test_letters_with_their_go_are_finished_over_every_relay(sink: Sink) -> None:
    servers = {name: sink(folder=name) for name in ("a", "b")}
    with edge({name: smtp.relay(settings_for(server)) for name, server in servers.items()}, 8) as wire:
        wire.tell_all([over("a", 1), over("b", 2)])
        ready = 0
        while ready < 2:
            answers = wire.take(20)
            assert answers
            assert not any(isinstance(answer, Result) for answer in answers)
            ready += len(answers)
        wire.tell_all([Go(1), Go(2)])
    assert [len(server.messages()) for server in servers.values()] == [1, 1]
