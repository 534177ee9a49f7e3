"""The HTML form of a letter: the words of its text, marked up, with nothing from outside in it that could act."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.render import html, letter
from pipeline.render.form import Form
from pipeline.render.letter import Letter
from pipeline.render.values import Audience
from tests.render import written
from tests.render.written import EN, EN_FR, FR_CA, FR_EN

INLINE = ("a", "span", "strong", "wbr")


class Page(HTMLParser):
    """A document as a reader takes it in: its tags in order, its words, its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: dict[str, list[str]] = {"head": [], "body": []}
        self.place = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(f"{tag} {name}", value or "") for name, value in attrs]
        if tag in self.texts:
            self.place = tag
        elif self.place and tag not in INLINE:
            self.texts[self.place].append(" ")

    def handle_data(self, data: str) -> None:
        if self.place:
            self.texts[self.place].append(data)

    @property
    def words(self) -> list[str]:
        return "".join(self.texts["body"]).split()

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.attributes if found == name]


CASES = [(name, languages, case.form) for name, case in written.cases().items() for languages in case.languages]


def rendered(name: str, languages: tuple[str, ...], form: Form) -> Letter:
    values = written.cases()[name].values
    return letter.render(values, written.sources(values.kind), written.choice(*languages), form)


def said(text: Letter) -> list[str]:
    """The words of a letter's text form and of its subject, without the rules and hyphens that mark its parts."""
    body = text.body.replace(letter.RULE, "")
    return f"{text.subject}\n{re.sub('^- ', '', body, flags=re.MULTILINE)}".split()


@pytest.mark.parametrize(("name", "languages", "form"), CASES)
def test_html_says_the_words_of_the_text_in_their_order(name: str, languages: tuple[str, ...], form: Form) -> None:
    text = rendered(name, languages, form)
    assert Page(html.page(text)).words == said(text)


def test_each_language_is_named_where_it_is_spoken() -> None:
    one = html.page(rendered("mixed-beside", FR_CA, Form()))
    two = html.page(rendered("mixed-beside", FR_EN, Form()))
    assert re.findall('lang="([^"]*)"', one) == ["fr-CA"]
    assert two.startswith('<!DOCTYPE html>\n<html lang="fr-CA">')
    assert re.findall('<div class="half" lang="([^"]*)">\n<h2>(.*?)</h2>', two) == [
        ("fr-CA", "FRANÇAIS"),
        ("en", "ENGLISH"),
    ]
    assert '<span lang="en">Report: open relay or open proxy, 6 IP addresses</span></h1>' in two
    assert '<th scope="col" lang="en">LAST SEEN UTC</th>' in two
    assert '<span lang="en">open mail relay (observed first-hand)</span></th>' in two
    assert '<span lang="en">One service a line; a hyphen means: not stated.</span></caption>' in two


def test_the_table_has_a_caption_and_heads_that_say_their_scope() -> None:
    page = Page(html.page(rendered("mixed-beside", EN, Form())))
    assert page.tags.count("table") == page.tags.count("caption") == page.tags.count("thead") == 1
    assert page.values("th scope") == ["col"] * 4 + ["rowgroup"] * 4
    assert page.tags.count("td") == 7 * 4


def test_links_say_their_own_address_and_lead_to_the_campaigns_pages_alone() -> None:
    text = html.page(rendered("relay-e0-owner", EN_FR, Form()))
    links = re.findall('<a href="([^"]*)">([^<]*)</a>', text)
    assert links
    assert all(target in (shown, f"mailto:{shown}") for target, shown in links)
    assert {shown.split("/")[2] if "//" in shown else shown for _, shown in links} == {
        "agency.example",
        "questions@agency.example",
    }


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = Page(html.page(rendered("both-300-provider", EN, Form())))
    assert not {"script", "img", "link", "iframe", "object", "form", "input", "audio", "video", "svg"} & set(page.tags)
    assert not [name for name, _ in page.attributes if re.search(r" (on\w+|src|srcset|background|style|action)$", name)]
    style = html.page(rendered("relay-e0-owner", EN, Form())).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><img src=https://evil.example/x.gif>',
        "https://evil.example/login",
        "abuse@evil.example",
        "</title></style></main><h1>You won",
        "&lt;b&gt; &amp;amp; &#60;i&#62;",
    ],
)
def test_what_a_registry_wrote_stays_text(hostile: str) -> None:
    tame = written.values(holder="Holder", audience=Audience.PROVIDER)
    wild = replace(tame, holder=hostile, findings=(written.finding(network=hostile, sources=(hostile,)),))
    pages = []
    for values in (tame, wild):
        text = letter.render(values, written.sources(), written.choice(*EN))
        pages.append(Page(html.page(text)))
        assert pages[-1].words == said(text)
    assert pages[0].tags == pages[1].tags
    assert pages[0].attributes == pages[1].attributes


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_from_outside_adds_a_tag(holder: str, network: str) -> None:
    tame = written.values(holder="Holder", audience=Audience.PROVIDER)
    try:
        wild = replace(tame, holder=holder, findings=(written.finding(network=network),))
    except ValueError:
        return  # the values refuse it before a letter is made
    first, second = (
        Page(html.page(letter.render(values, written.sources(), written.choice(*EN)))) for values in (tame, wild)
    )
    allowed = [tag for tag in second.tags if tag not in ("p", "br")]  # a paragraph may fall away with an empty name
    assert allowed == [tag for tag in first.tags if tag not in ("p", "br")]
    assert first.attributes == second.attributes


def test_words_of_an_agencys_own_table_source_are_kept() -> None:
    sources = dict(written.sources())
    sources["table.txt.j2"] = "Our list\n" + sources["table.txt.j2"] + "\nEnd of our list.\n"
    text = letter.render(written.values(), sources, written.choice(*EN))
    page = html.page(text)
    assert Page(page).words == said(text)
    assert "<caption><strong>Our list</strong>" in page
    assert "<p>End of our list.</p>" in page


def test_a_table_source_without_the_lines_still_gives_the_table() -> None:
    sources = {**written.sources(), "table.txt.j2": "See the page.\n"}
    page = html.page(letter.render(written.values(), sources, written.choice(*EN)))
    assert "<caption><strong>Addresses concerned</strong>" in page
    assert '<td class="whole">192.0.2.10</td>' in page
