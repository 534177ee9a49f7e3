"""A run of sending says each round what it waits for, and until when."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pipeline.store.db import Database
from tests.seed import wave_of_letters


def test_what_is_waited_for_is_told_in_each_round(db: Database, now: datetime, post: Callable[..., Any]) -> None:
    wave_of_letters(db, now, 3)
    told: list[tuple[str, datetime | None]] = []
    with post() as p:
        p.rate = 0.001
        p.send(db, waiting=lambda why, until: told.append((why, until)))
    assert ("mail:all/second", now) in [(why, now) for why, until in told if until is not None and until > now]


def test_where_no_limit_is_set_nothing_is_waited_for(db: Database, now: datetime, post: Callable[..., Any]) -> None:
    wave_of_letters(db, now, 3)
    told: list[tuple[str, datetime | None]] = []
    with post() as p:
        p.send(db, waiting=lambda why, until: told.append((why, until)))
    assert {why for why, _ in told} == {""}
