"""A process of its own that signs letters: RSA is a quarter of the work that a letter is, and keeps a whole core.

Reads: digests and private keys, through pipes and nowhere else.  Writes: signatures, the same bytes that this process would
make.  Nothing leaves the machine.  Safe to kill: it ends by itself once the other end of its pipe is gone, and what it had
not given back was not sent.  Ctrl-C and SIGTERM are for the process that started it, which finishes what is open.
"""

import contextlib
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from pipeline.domain import TocsinError, TryAgain
from pipeline.send.dkim import DkimKeys, PrivateKey, sign, sign_lot

AFTER = 200  # letters that are signed here first: starting the process costs the time of several hundred
PATIENCE = 10.0  # seconds for the signatures of a lot, which take hundredths of one; a transaction is open meanwhile
LARGEST = 1 << 22  # bytes of one message
DIGEST = 32  # bytes
_COMMAND = (sys.executable, "-P", "-c", "from pipeline.signer import main; main()")

Signatures = list[tuple[bytes, ...]]


class Signer:
    """Signs lots of letters: here at first, in a process of its own once many were signed and that one is ready.

    It is started once.  One that ended was ended by somebody, or by a machine without memory: `lost` says so from then on,
    for a person to hear of it, and the next run starts another.  Letters in hand meanwhile are signed here: the same bytes.
    """

    def __init__(self, keys: DkimKeys, after: int = AFTER) -> None:
        self._keys = keys
        self.lost: TocsinError | None = None
        self._left = after
        self._number = 0
        self._ready = False
        self._process: subprocess.Popen[bytes] | None = None
        self._to: Connection | None = None
        self._back: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The process that signs, None as long as none was started."""
        return self._process.pid if self._process is not None else None

    @property
    def ready(self) -> bool:
        """Whether the next lot goes to the other process."""
        if not self._ready and self._back is not None and self.lost is None:
            with self._unless_gone():
                if self._back.poll(0):
                    self._back.recv_bytes(LARGEST)
                    self._ready = True
        return self._ready and self.lost is None

    def begin(self, lot: Sequence[tuple[bytes, ...]]) -> Callable[[], Signatures]:
        """Begin to sign letters, each with a digest for each key; what comes back gives the signatures once it is called.

        A lot whose signatures nobody asked for does no harm to the next.
        """
        if self._process is None and self._left <= 0 and self.lost is None:
            self._start()
        self._left -= len(lot)
        if self.ready and self._to is not None:
            self._number += 1
            number = self._number
            with self._unless_gone():
                self._to.send_bytes(number.to_bytes(8) + b"".join(made for letter in lot for made in letter))
            return lambda: self._collected(number, len(lot)) or sign_lot(self._keys, lot)
        return lambda: sign_lot(self._keys, lot)

    def close(self) -> None:
        """End the process, and wait until it is gone."""
        for end in (self._to, self._back):
            if end is not None:
                end.close()
        if self._process is not None:
            self._process.kill()  # it has nothing to finish
            self._process.wait()

    def _start(self) -> None:
        """Start the process; it says that it is ready with an empty message."""
        (theirs, self._to), (self._back, said) = Pipe(duplex=False), Pipe(duplex=False)
        with theirs, said, self._unless_gone():
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=theirs.fileno(),
                stdout=said.fileno(),
                stderr=subprocess.DEVNULL,  # no traceback can show what it holds
                process_group=0,  # Ctrl-C at a terminal goes to a whole group
            )
            self._to.send_bytes(len(self._keys.keys).to_bytes(1))
            for key in self._keys.keys:
                self._to.send_bytes(key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def _collected(self, number: int, count: int) -> Signatures:
        """Return the signatures of a lot, none if the process is gone."""
        each, made = len(self._keys.keys), list[bytes]()
        with self._unless_gone():
            made += _parted(self._message(number))
            if len(made) != count * each:
                raise EOFError
        if self.lost is not None:
            return []
        return [tuple(made[start : start + each]) for start in range(0, len(made), each)]

    def _message(self, number: int) -> bytes:
        while self.lost is None and self._back is not None and self._back.poll(PATIENCE):
            message = self._back.recv_bytes(LARGEST)
            if message[:8] == number.to_bytes(8):  # not of a lot that nobody asked for
                return message[8:]
        raise EOFError

    @contextmanager
    def _unless_gone(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError):
            self.lost = self.lost or TryAgain(
                "The process that signs letters has ended",
                "it was killed, or the machine has no memory left",
                "Run the same command again.",
            )


@contextmanager
def signer(keys: DkimKeys, after: int = AFTER) -> Iterator[Signer]:
    """Sign for the block; the process, if one was started, is gone at its end."""
    one = Signer(keys, after)
    try:
        yield one
    finally:
        one.close()


# --- in the other process --------------------------------------------------------------------------------------------


def main() -> None:
    """Read keys, then digests, and write signatures, until the other end is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the keys
    asked, said = Connection(0, writable=False), Connection(1, readable=False)
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(asked, said)


def _serve(asked: Connection, said: Connection) -> None:
    keys = [_key(asked.recv_bytes(LARGEST)) for _ in range(asked.recv_bytes(1)[0])]
    said.send_bytes(b"")
    while True:
        message = asked.recv_bytes(LARGEST)
        digests = (message[start : start + DIGEST] for start in range(8, len(message), DIGEST))
        made = (sign(keys[place % len(keys)], digest) for place, digest in enumerate(digests))
        said.send_bytes(message[:8] + b"".join(len(one).to_bytes(2) + one for one in made))


def _key(der: bytes) -> PrivateKey:
    key = load_der_private_key(der, password=None)
    assert isinstance(key, PrivateKey)
    return key


def _parted(data: bytes) -> Iterator[bytes]:
    """Yield the signatures of a message, each with its length (2 bytes) before it."""
    start = 0
    while start < len(data):
        length = int.from_bytes(data[start : start + 2])
        yield data[start + 2 : start + 2 + length]
        start += 2 + length
