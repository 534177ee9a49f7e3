"""A recipient whose mailbox is not ASCII, among others, from the database to the relay and back."""

import re
from pathlib import Path

import pytest
from sqlalchemy import update

from pipeline.sandbox import mail_server
from pipeline.sandbox.mail_server import OFFERS
from pipeline.sandbox.thread import in_thread
from pipeline.store import tables as t
from pipeline.store.db import Database
from tests.conftest import NOW
from tests.seed import wave_of_letters
from tests.send.conftest import Clock, Post, letters

COUNT, OTHER = 7, 3
WITHOUT_PIPELINING = tuple(offer for offer in OFFERS if offer != "PIPELINING")


@pytest.mark.parametrize("base", [OFFERS, WITHOUT_PIPELINING], ids=["pipelining", "one by one"])
@pytest.mark.parametrize("offered", [True, False], ids=["SMTPUTF8", "no SMTPUTF8"])
def test_a_recipient_outside_ascii_goes_where_smtputf8_is_offered_and_touches_no_other_letter(
    db: Database, tmp_path: Path, base: tuple[str, ...], offered: bool
) -> None:
    offers = (*base, "SMTPUTF8") if offered else base
    with in_thread(mail_server.serve({}, tmp_path / "mail", offers=offers)) as server:
        p = Post(server, Clock(NOW), connections=1)
        wave_of_letters(db, p.clock(), COUNT)
        with db.write() as connection:
            mine = update(t.letters).where(t.letters.c.id == OTHER)
            connection.execute(mine.values(recipient="détresse@isp3.example"))
        p.send(db)
        others = {f"abuse@isp{n}.example" for n in range(1, COUNT + 1) if n != OTHER}
        assert set(p.recipients()) == others | ({"détresse@isp3.example"} if offered else set())
        said = [line.split(" ")[0].split(":")[0] for _, line in server.commands]
    found = letters(db)
    assert {row["state"] for number, row in found.items() if number != OTHER} == {"handed"}
    assert found[OTHER]["state"] == ("handed" if offered else "refused")
    assert re.fullmatch("(EHLO )(MAIL RCPT DATA )+(QUIT ?)?", " ".join(said) + " ")  # no MAIL in another's transaction
    assert said.count("MAIL") == COUNT - (not offered)
