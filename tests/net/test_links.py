"""A link answers if a page comes back, after a few redirects at most; whatever else happens is told by its code."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.net import links
from pipeline.net.http import HttpSettings

SETTINGS = HttpSettings("Tocsin tests", timeout=10, allow_plain_http_to_loopback=True)
STATUS = {"/gone": 404, "/removed": 410, "/private": 403, "/login": 401, "/broken": 500, "/busy": 429}
LEADS = {"/away": "/page", "/loop": "/loop", "/inside": "https://10.0.0.1/", "/plain": "http://agency.example/"}
LEADS |= {f"/hop/{n}": f"/hop/{n - 1}" for n in range(1, 9)} | {"/hop/0": "/page", "/gate": "ftp://agency.example/"}


class Pages(BaseHTTPRequestHandler):
    """A page at every other path; HEAD is refused everywhere, as some servers do."""

    over = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/silent":
            self.over.wait(20)
            return
        if self.path == "/cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if self.path in LEADS or self.path == "/nowhere":
            self.send_response(302)
            if self.path in LEADS:
                self.send_header("Location", LEADS[self.path])
            self.end_headers()
            return
        self.send_response(STATUS.get(self.path, 200))
        if self.path == "/half":
            self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"<p>A page")

    def do_HEAD(self) -> None:
        self.send_error(405)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Pages.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/page", ""),  # although HEAD is refused there
        ("/page?case=1#how", ""),
        ("/half", ""),  # somebody answers, and says that the page is there
        ("/away", ""),
        ("/hop/4", ""),
        ("/hop/5", "redirects"),
        ("/loop", "redirects"),
        ("/nowhere", "302"),
        ("/inside", "forbidden-address"),
        ("/plain", "forbidden-scheme"),
        ("/gate", "forbidden-scheme"),
        *((path, str(status)) for path, status in STATUS.items()),
        ("/cut", "cut"),
    ],
)
def test_a_link_answers_if_a_page_comes_back_in_the_end(pages: str, path: str, why: str) -> None:
    assert links.troubles([pages + path], SETTINGS) == {pages + path: why}


def test_a_server_that_says_nothing_is_waited_for_only_so_long(pages: str) -> None:
    impatient = HttpSettings("Tocsin tests", timeout=0.3, allow_plain_http_to_loopback=True)
    assert links.troubles([f"{pages}/silent"], impatient) == {f"{pages}/silent": "timeout"}


def test_what_cannot_be_reached_or_asked_is_no_answer(pages: str) -> None:
    with socket.socket() as nobody:  # bound, and not listening
        nobody.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        asked = [closed, "https://10.0.0.1/", "http://agency.example/", "https://user@agency.example/", "https:///page"]
        assert list(links.troubles(asked, SETTINGS).values()) == [
            "connect",
            "forbidden-address",
            "forbidden-scheme",
            "bad-url",
            "bad-url",
        ]


def test_plain_http_is_asked_on_this_machine_alone_and_only_where_that_is_allowed(pages: str) -> None:
    strict = HttpSettings("Tocsin tests", timeout=10)
    assert links.troubles([f"{pages}/page"], strict) == {f"{pages}/page": "forbidden-scheme"}


def test_each_link_is_told_of_and_one_that_fails_hides_no_other(pages: str) -> None:
    asked = [f"{pages}/page", f"{pages}/gone", f"{pages}/away"]
    assert links.troubles(asked, SETTINGS) == dict(zip(asked, ["", "404", ""], strict=True))


def test_of_too_many_links_none_is_asked() -> None:
    asked = [f"https://agency{n}.example/" for n in range(links.MOST_LINKS + 1)]
    assert set(links.troubles(asked, SETTINGS).values()) == {"too-many"}
