"""An approval holds for one manifest, from somebody independent, with a signature that is still good."""

from dataclasses import dataclass

from pipeline.send.approval import Standing, standing

MANIFEST = b"m" * 32


@dataclass(frozen=True)
class Word:
    by: str = "person:2"
    accepted: bool = True
    method: str = "password"
    manifest_sha256: bytes = MANIFEST
    signature: str = ""
    principal: str = ""


def ask(*words: Word, training: bool = False, good: bool = True) -> Standing:
    return standing(
        words, MANIFEST, training=training, needed=2, makers=("person:1",), verify=lambda signature, principal: good
    )


def test_a_live_wave_needs_two_different_people() -> None:
    assert not ask(Word()).stands
    assert not ask(Word(), Word()).stands
    assert ask(Word(), Word(by="person:3")).stands


def test_the_maker_does_not_count_and_stops_a_live_wave() -> None:
    assert ask(Word(), Word(by="person:3"), Word(by="person:1")).objection == "not_independent"


def test_the_systems_user_counts_in_training_only() -> None:
    word = Word(by="system:root", method="training")
    assert ask(word, training=True).stands
    assert ask(Word(), Word(by="person:3"), word).objection == "not_independent"


def test_a_word_on_another_manifest_does_not_count() -> None:
    assert ask(Word(), Word(by="person:3", manifest_sha256=b"x" * 32)).valid == 1
    assert ask(Word(), Word(by="person:3"), Word(by="person:4", accepted=False, manifest_sha256=b"x" * 32)).stands


def test_one_rejection_stops_the_wave() -> None:
    assert ask(Word(), Word(by="person:3"), Word(by="person:4", accepted=False)).objection == "rejected"


def test_a_signature_that_is_no_longer_good_stops_the_wave() -> None:
    signed = Word(by="person:3", method="ssh", signature="s", principal="p")
    assert ask(Word(), signed).stands
    assert ask(Word(), signed, good=False).objection == "signature"
