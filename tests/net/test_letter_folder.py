"""Letters as files: whole or not at all, once however often, with their envelopes beside them."""

import json
from pathlib import Path

from pipeline.domain import Go, Ready, Result, Send, Stop
from pipeline.net.letter_folder import FolderSettings, edge, keep, trouble

DATA = b"From: a@agency.example\r\n\r\nH\xc3\xa9llo\r\n.\r\n"
LETTER = Send(7, 70, "v7@agency.example", "abuse@isp.example", DATA, envid="70")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_letter_is_its_bytes_in_a_file_with_its_envelope_beside_it(tmp_path: Path) -> None:
    result = keep(FolderSettings("review", tmp_path), LETTER)
    assert result == Result(7, 70, "dot", 250, "", "written as 7-70.eml", True, "review")
    assert names(tmp_path) == ["7-70.eml", "7-70.json"]
    assert (tmp_path / "7-70.eml").read_bytes() == DATA
    envelope = {"sender": "v7@agency.example", "recipient": "abuse@isp.example", "envid": "70"}
    assert json.loads((tmp_path / "7-70.json").read_bytes()) == envelope
    assert (tmp_path / "7-70.eml").stat().st_mode & 0o007 == 0  # letters are nobody else's


def test_a_letter_that_is_there_already_counts_as_handed_over(tmp_path: Path) -> None:
    settings = FolderSettings("review", tmp_path)
    first = keep(settings, LETTER)
    written = (tmp_path / "7-70.eml").stat()
    assert keep(settings, LETTER) == first
    assert names(tmp_path) == ["7-70.eml", "7-70.json"]
    assert (tmp_path / "7-70.eml").stat().st_ino == written.st_ino


def test_other_bytes_under_its_name_are_an_error_and_stay(tmp_path: Path) -> None:
    (tmp_path / "7-70.eml").write_bytes(DATA + b"more")
    result = keep(FolderSettings("review", tmp_path), LETTER)
    assert (result.reply, result.dot_written) == (0, False)
    assert result.text == "7-70.eml is there already, with other contents"
    assert (tmp_path / "7-70.eml").read_bytes() == DATA + b"more"
    assert names(tmp_path) == ["7-70.eml", "7-70.json"]


def test_a_folder_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    settings = FolderSettings("review", tmp_path / "none")
    result = keep(settings, LETTER)
    assert (result.reply, result.dot_written, result.text) == (0, False, "No such file or directory")
    assert trouble(settings) == "No such file or directory"
    assert trouble(FolderSettings("review", tmp_path)) == ""
    assert names(tmp_path) == []


def test_each_letter_waits_for_its_go_and_has_one_result(tmp_path: Path) -> None:
    letters = [Send(n, n * 10, "v@agency.example", "abuse@isp.example", DATA) for n in range(1, 8)]
    results: dict[int, Result] = {}
    most = 0
    with edge(FolderSettings("review", tmp_path)) as wire:
        wire.tell_all([*letters, Stop(7)])
        while len(results) < 7:
            answers = wire.take(5)
            assert answers
            ready = [answer for answer in answers if isinstance(answer, Ready)]
            most = max(most, len(ready))
            wire.tell_all([Stop(5) if one.letter_id == 5 else Go(one.letter_id) for one in ready])
            results |= {answer.letter_id: answer for answer in answers if isinstance(answer, Result)}
    assert {n for n, result in results.items() if result.reply == 250} == {1, 2, 3, 4, 6}
    assert (results[5].stage, results[7].stage) == ("mail", "connect")
    assert all(results[n].text.startswith("stopped") and not results[n].dot_written for n in (5, 7))
    assert most <= 2  # no more dots are committed than letters can be on their way
    assert names(tmp_path) == sorted(f"{n}-{n}0.{kind}" for n in (1, 2, 3, 4, 6) for kind in ("eml", "json"))


def test_letters_without_go_are_not_written_when_the_caller_leaves(tmp_path: Path) -> None:
    with edge(FolderSettings("review", tmp_path)) as wire:
        wire.tell_all([LETTER])
        assert wire.take(5) == [Ready(7, 70)]
    assert names(tmp_path) == []


def test_letters_with_go_are_finished_when_the_caller_leaves(tmp_path: Path) -> None:
    with edge(FolderSettings("review", tmp_path)) as wire:
        wire.tell_all([LETTER])
        assert wire.take(5) == [Ready(7, 70)]
        wire.tell_all([Go(7)])
    assert names(tmp_path) == ["7-70.eml", "7-70.json"]
