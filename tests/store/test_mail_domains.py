"""What the DNS said of recipients' domains is kept; which are asked about next follows the order of writing."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update

from pipeline.store import mail_domains, workers
from pipeline.store import tables as t
from pipeline.store.db import Database
from pipeline.store.mail_domains import BEGINNING, MailDomain
from tests.seed import add, wave_of_letters

DAY = timedelta(days=1)


def test_the_newest_answer_about_a_domain_replaces_the_one_before_it(db: Database, now: datetime) -> None:
    old = MailDomain("isp.example", "isp.example", "unknown", now, now + timedelta(hours=1))
    new = MailDomain("isp.example", "google", "mx", now + DAY, now + 2 * DAY)
    other = MailDomain("other.example", "host.example", "mx", now, now + DAY)
    with db.write() as connection:
        mail_domains.keep(connection, [old])
        mail_domains.keep(connection, [new, other])
        mail_domains.keep(connection, [])
        assert mail_domains.known(connection, {"isp.example", "other.example", "unheard.example"}) == {
            "isp.example": new,
            "other.example": other,
        }


def test_domains_are_asked_about_in_the_order_in_which_their_letters_leave(db: Database, now: datetime) -> None:
    wave = wave_of_letters(db, now, 5)
    with db.write() as connection:
        connection.execute(update(t.letters).values(send_order=10 - t.letters.c.id))
        connection.execute(update(t.letters).where(t.letters.c.id == 4).values(state="handed"))
        first, place = mail_domains.ahead(connection, [wave], BEGINNING, 2)
        assert first == {"isp5.example", "isp3.example"}
        assert place is not None
        rest, place = mail_domains.ahead(connection, [wave], place, 9)
        assert rest == {"isp2.example", "isp1.example"}
        assert place is not None
        assert mail_domains.ahead(connection, [wave], place, 9) == (set(), None)


def test_cases_of_a_contact_that_cannot_be_reached_are_looked_at_again(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 2)
    later = now + DAY
    with db.write() as connection:
        connection.execute(text("UPDATE cases SET state = 'resolved', contact_due_at = NULL"))
        assert mail_domains.look_for_another(connection, 2, later) == 1
        due: dict[Any, Any] = {row.id: row.contact_due_at for row in connection.execute(select(t.cases))}
    assert due == {1: None, 2: later}


def test_a_relays_first_letter_is_the_first_whose_final_dot_was_written(db: Database, now: datetime) -> None:
    wave_of_letters(db, now, 1)
    with db.write() as connection:
        worker = workers.register(connection, "h", 1, planner=False, now=now)
        for number, relay, dot in (
            (1, "old:25", now),
            (2, "new:25", None),
            (3, "new:25", now + DAY),
            (4, "new:25", now),
        ):
            attempt: dict[str, Any] = {
                "letter_id": 1,
                "number": number,
                "worker_id": worker,
                "head": b"",
                "sha256": b"",
            }
            sent = {"sender": "s", "recipient": "r", "started_at": now, "dot_at": dot, "relay": relay}
            add(connection, t.attempts, **attempt, **sent)
        assert mail_domains.first_left(connection, "old:25") == now
        assert mail_domains.first_left(connection, "new:25") == now + DAY
        assert mail_domains.first_left(connection, "never:25") is None
