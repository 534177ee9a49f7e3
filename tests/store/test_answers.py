"""Raw answers: kept byte for byte, once, and served again while they are fresh."""

import hashlib
import threading
import zlib
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from pipeline.domain import Answer
from pipeline.store import answers
from pipeline.store import tables as t
from pipeline.store.db import Database

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RDAP, NAME = "https://rdap.example/ip/192.0.2.1", "dns:TXT/1.2.0.192.origin.example"


def said(at: datetime, body: bytes = b"{}", source: str = RDAP, status: int = 200) -> Answer:
    return Answer(source, status, "application/rdap+json", body, at)


def keep(db: Database, *some: Answer) -> dict[answers.Key, int]:
    with db.write() as connection:
        return answers.keep(connection, some)


def fresh(db: Database, now: datetime, *questions: str) -> dict[str, Answer]:
    with db.read() as connection:
        return answers.since(connection, questions, now - 7 * DAY, now - DAY)


def test_every_byte_is_kept_with_its_hash(db: Database, now: datetime) -> None:
    body = bytes(range(256)) * 40
    ids = keep(db, said(now, body))
    with db.read() as connection:
        [row] = connection.execute(select(t.raw_answers)).mappings()
    assert zlib.decompress(bytes(row["body"])) == body
    assert len(row["body"]) < len(body)
    assert ids == {(hashlib.sha256(body).digest(), RDAP): row["id"]}
    assert (row["status"], row["content_type"], row["at"]) == (200, "application/rdap+json", now)


def test_the_same_words_again_only_move_the_time_when_they_were_last_said(db: Database, now: datetime) -> None:
    first = keep(db, said(now))
    assert keep(db, said(now + DAY)) == first
    assert keep(db, said(now - DAY)) == first  # as it is read from the record
    with db.read() as connection:
        [row] = connection.execute(select(t.raw_answers)).mappings()
    assert (row["at"], row["last_at"]) == (now, now + DAY)
    assert fresh(db, now + 8 * DAY - HOUR, RDAP)[RDAP].at == now + DAY


def test_other_words_and_the_same_words_to_another_question_are_other_answers(db: Database, now: datetime) -> None:
    other = "https://rdap.example/ip/192.0.2.2"
    ids = keep(db, said(now), said(now, b"[]"), said(now, source=other), said(now))
    assert len(set(ids.values())) == len(ids) == 3


def test_the_newest_answer_to_a_question_is_the_one_that_serves(db: Database, now: datetime) -> None:
    keep(db, said(now, b"older"))
    keep(db, said(now + HOUR, b"newer"))
    assert fresh(db, now + 2 * HOUR, RDAP)[RDAP].body == b"newer"
    keep(db, said(now + 3 * HOUR, b"older"))  # said again
    assert fresh(db, now + 4 * HOUR, RDAP)[RDAP] == Answer(
        RDAP, 200, "application/rdap+json", b"older", now + 3 * HOUR, requests=0
    )


@pytest.mark.parametrize(
    ("source", "status", "life"),
    [(RDAP, 200, 7 * DAY), (RDAP, 404, 7 * DAY), (NAME, 200, DAY), (NAME, 404, DAY), (RDAP, 302, DAY)],
)
def test_registries_are_asked_again_after_their_time_and_the_dns_and_redirects_after_a_day(
    db: Database, now: datetime, source: str, status: int, life: timedelta
) -> None:
    keep(db, said(now, source=source, status=status))
    assert fresh(db, now + life - timedelta(seconds=1), source)[source].status == status
    assert fresh(db, now + life, source) == {}


def test_only_what_is_asked_for_is_found_however_much_that_is(db: Database, now: datetime) -> None:
    sources = [f"https://rdap.example/ip/192.0.2.{n}" for n in range(200)] + [
        f"dns:MAIL/n{n}.example" for n in range(900)
    ]
    keep(db, *(said(now, source=source) for source in sources))
    assert set(fresh(db, now, *sources[50:], "https://rdap.example/ip/192.0.2.255")) == set(sources[50:])
    assert fresh(db, now) == {}


def test_two_who_keep_the_same_answer_at_once_keep_it_once(db: Database, database_url: str, now: datetime) -> None:
    found: list[int] = []
    ready = threading.Barrier(2)

    def work() -> None:
        own = Database(database_url)
        for number in range(20):
            ready.wait()
            found.extend(keep(own, said(now, b"%d" % number)).values())
        own.close()

    at_once = [threading.Thread(target=work) for _ in range(2)]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join()
    with db.read() as connection:
        assert sorted(found) == sorted(2 * list(connection.execute(select(t.raw_answers.c.id)).scalars()))
    assert len(found) == 40
