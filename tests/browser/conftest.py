"""A browser for the pages that people read: one for all tests of a module, offline, telling what a page asks for.

Not one for the whole session: while it runs, its event loop does too, and tests elsewhere begin their own.
"""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.system.presence import needs

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = needs("chromium", shutil.which("chromium"))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def asked() -> list[str]:
    """What the page asked for, and what went wrong on it."""
    return []


@pytest.fixture
def tab(browser: Browser, asked: list[str]) -> Iterator[Page]:
    """An empty page that can reach nothing."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.on("pageerror", lambda error: asked.append(str(error)))
    yield page
    context.close()
