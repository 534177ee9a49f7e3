"""The HTML form of a letter in a browser: axe-core finds nothing, no request leaves, nothing scrolls sideways."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

from pipeline.render import html, letter
from tests.render import written
from tests.render.written import EN, EN_FR, FR, FR_CA

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NARROW: ViewportSize = {"width": 320, "height": 900}  # WCAG 2.2, 1.4.10
KINDS = sorted({case.values.kind for case in written.cases().values()})
PAGES = [(kind, languages) for kind in KINDS for languages in (EN, EN_FR)] + [("first", FR_CA), ("first", FR)]


def document(kind: str, languages: tuple[str, ...]) -> str:
    """The HTML of the longest golden letter of a kind, but for those of hundreds of lines."""
    cases = [case for case in written.cases().values() if case.values.kind == kind and len(case.values.findings) < 50]
    case = max(cases, key=lambda one: len(one.values.findings))
    text = letter.render(case.values, written.sources(kind), written.choice(*languages), case.form)
    return html.page(text)


def findings(page: Page, scheme: Literal["dark", "light"] = "light") -> list[str]:
    """What axe-core finds: the name of each rule, with the markup that breaks it."""
    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.mark.parametrize(("kind", "languages"), PAGES)
def test_letter_can_be_read_by_everybody(tab: Page, asked: list[str], kind: str, languages: tuple[str, ...]) -> None:
    tab.set_content(document(kind, languages))
    assert findings(tab) == []
    if languages == EN_FR:
        assert findings(tab, "dark") == []
    tab.set_viewport_size(NARROW)
    assert sideways(tab) <= 0
    assert asked == []


def test_longest_addresses_do_not_make_a_narrow_page_scroll(tab: Page) -> None:
    long = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
    values = written.values(
        *(written.finding(f"2001:db8::{n:x}", port=65535, network="N" * 60) for n in range(3)),
        written.finding(long, topic="open_proxy", port=65535, service="socks5", network="N" * 60),
        written.finding("198.51.100.255", port=65535, service="any"),
    )
    text = letter.render(values, written.sources(), written.choice(*EN_FR))
    tab.set_viewport_size(NARROW)
    tab.set_content(html.page(text))
    assert sideways(tab) <= 0


def test_dark_and_light_are_different_pictures(tab: Page) -> None:
    tab.set_content(document("first", EN))
    colours = []
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        colours.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("p{color:#aaa}</style>", "color-contrast"),
        ("</style><img src=data:,>", "image-alt"),
    ],
)
def test_axe_would_say_so(tab: Page, broken: str, rule: str) -> None:
    tab.set_content(document("first", EN).replace("</style>", broken))
    assert any(found.startswith(rule) for found in findings(tab))


def test_a_wide_word_would_be_seen_at_320_pixels(tab: Page) -> None:
    tab.set_viewport_size(NARROW)
    tab.set_content(document("first", EN).replace("<h1>", '<h1 style="white-space:nowrap">'))
    assert sideways(tab) > 0


def test_a_request_would_be_seen(tab: Page, asked: list[str]) -> None:
    tab.set_content(document("first", EN).replace("<h1>", '<img alt="" src="http://127.0.0.1:9/pixel"><h1>'))
    tab.wait_for_load_state("load")
    assert any("pixel" in one for one in asked)
