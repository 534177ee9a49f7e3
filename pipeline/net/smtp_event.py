"""What is said for a letter on a connection, and what comes of it: the values of a conversation (smtp_talk.py).  Pure."""

from dataclasses import dataclass
from typing import Literal

from pipeline.domain import Said
from pipeline.net.smtp_wire import Reply

Command = Literal["mail", "rcpt", "data", "dot", "lone dot", "rset", "quit"]


@dataclass(frozen=True, slots=True)
class Letter:
    """What is said for one letter: whole commands, and the message dot-stuffed, with CRLF at its end."""

    letter_id: int
    mail: bytes
    rcpt: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """DATA was answered with 354: the relay waits for the message, and the conversation for `go`."""

    letter_id: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a transaction ended: at which command, with which reply (code 0: none), and whether the dot was written.

    `said`: the replies up to that one, and it; not those that come after it, as to DATA once RCPT was refused.
    """

    letter_id: int
    stage: Command
    reply: Reply
    dot_written: bool
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Unspoken:
    """The relay did not come to this letter: its commands stood behind the dot of another one, or were not said yet.

    `said`: that it was taken back, if they had been written.
    """

    letter_id: int
    said: tuple[Said, ...] = ()


Event = Asked | Ended | Unspoken
