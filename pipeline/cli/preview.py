"""`tocsin template preview`: a letter as a contact would get it, or one about sample addresses, in any form.

Reads: letters' revisions, or a folder of texts; with --as a contact's notice or waiting cases.  Nothing is kept and nothing
leaves: what is shown bears a sample reference, or that of the notice.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from pipeline import config
from pipeline.cli import context, show, words
from pipeline.cli.command import SHARED, Command, argument, given, option
from pipeline.cli.declared import declared
from pipeline.domain import NotFound
from pipeline.render import compose, front, preview, samples
from pipeline.render import letter as written
from pipeline.render.blocks import WIDTH
from pipeline.render.face import face_of
from pipeline.render.folder import read
from pipeline.render.language import LanguageChoice
from pipeline.render.run import Again
from pipeline.render.samples import Sample
from pipeline.render.values import CampaignFace, said_lines
from pipeline.store import keys, templates

TEXT, HTML, EML, PDF = "text", "html", "eml", "pdf"
MESSAGE_ID = "<preview@{domain}>"
FIRST_SAMPLE = "provider-one"
RECIPIENT = ("Network Desk", "1 Example Road", "Example City", "EXAMPLELAND")
LOCALES = ("en", "fr_CA", "fr")
ORDERS = (("en",), ("fr_CA",), ("fr",), ("en", "fr_CA"), ("fr_CA", "en"))


class Preview(Command):
    """A command whose own --as and --lang stand in place of those that all commands share."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = {name for param in self.params for name in param.opts}
        return [param for param in super().get_params(ctx) if param not in SHARED or not own & set(param.opts)]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown: which letter, to whom, in which languages; `folder` and `revision` say which texts."""

    kind: str
    contact: str
    campaign: str
    locales: tuple[str, ...]
    folder: Path | None
    revision: int | None
    sample: str


@click.command(
    "preview",
    cls=Preview,
    examples=(
        "tocsin template preview",
        "tocsin template preview reminder --lang fr_CA --html --output reminder.html",
        "tocsin template preview --as abuse@isp.example --eml --output letter.eml",
        "tocsin template preview --from letters/first --folder review",
    ),
)
@argument("kind", metavar="KIND", required=False, help="first, reminder, last, thanks or test; else first.")
@option("--as", "contact", default="", metavar="MAILBOX", help="The letter that this contact would get now.")
@option("--campaign", default="", metavar="NAME", help="Who writes: a campaign of config.toml, else a sample one.")
@option("--lang", "languages", default="", metavar="LANGUAGES", help="en, fr_CA or fr, or two of them: en,fr_CA.")
@option("--sample", default=FIRST_SAMPLE, metavar="NAME", help="Which sample notice; all are in --folder.")
@option("--from", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Texts that are not imported yet.")
@option("--revision", type=int, metavar="NUMBER", help="The letter as it was with this revision, else the newest.")
@option("--text", "form", flag_value=TEXT, default=True, help="The text of the letter: so it is shown by itself.")
@option("--html", "form", flag_value=HTML, help="The HTML form.")
@option("--eml", "form", flag_value=EML, help="The whole message, as mail programs open it.")
@option("--pdf", "form", flag_value=PDF, help="The letter on paper.")
@option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
@option("--folder", "review", type=click.Path(path_type=Path), metavar="DIR", help="Write every sample there as .eml.")
def preview_(form: str, output: Path | None, review: Path | None, **wishes: Any) -> None:
    """Show a letter as a contact would get it, or one about sample addresses.

    Nothing is kept and nothing is sent. Sample letters bear the reference TCS-00000-00000-0, which no notice has.
    """
    wish = _wish(**wishes)
    if review is not None:
        _review(wish, review)
        return
    again = _again(wish)
    data = _made(again, form)
    if output is None and form in (EML, PDF):
        if sys.stdout.isatty() or given().json:
            raise click.UsageError(words.text("--{form} makes bytes: add --output FILE", form=form))
        click.echo(data, nl=False)
        return
    if output is not None:
        output.write_bytes(data)
        show.emit({"output": output, "bytes": len(data)}, lambda: [words.text("written: {file}", file=output)])
        return
    text = data.decode()
    facts = {"kind": again.values.kind, "languages": list(again.choice.locales), "rule": again.choice.rule}
    show.emit({**facts, "reference": again.values.reference, form: text}, lambda: text.removesuffix("\n").split("\n"))


def _wish(kind: str | None, languages: str, **others: Any) -> Wish:
    locales = tuple(part.strip().replace("-", "_") for part in languages.split(",") if part.strip())
    if len(set(locales)) != len(locales) or not set(locales) <= set(LOCALES) or len(locales) > 2:
        raise click.BadParameter(words.text("one of en, fr_CA, fr, or two of them"), param_hint="--lang")
    if kind and kind not in front.KINDS:
        raise click.BadParameter(words.text("one of {names}", names=", ".join(front.KINDS)), param_hint="KIND")
    return Wish(kind=kind or "", locales=locales, **others)


def _again(wish: Wish) -> Again:
    """Return what the letter that is wished for is made of.  Raises NotFound, ConfigurationError."""
    if wish.contact:
        again = _to_contact(wish)
    else:
        sources, face = _sources(wish), _face(wish)
        chosen = [sample for sample in _samples(sources, face) if sample.name == wish.sample]
        if not chosen:
            names = ", ".join(sample.name for sample in _samples(sources, face))
            raise NotFound(f"There is no sample {wish.sample}", f"there are: {names}", "Correct the name.")
        again = _of_sample(chosen[0], sources, wish.locales or ("en",))
    return replace(again, choice=LanguageChoice(wish.locales, "preview")) if wish.locales else again


def _to_contact(wish: Wish) -> Again:
    with context.opened() as ground:
        key = keys.keys_of(ground.loaded.secrets.master_key.get_secret_value())
        again = preview.to_contact(
            ground.db,
            key,
            wish.contact.strip().lower(),
            campaign=wish.campaign,
            kind=wish.kind,
            revision=wish.revision,
            now=context.clock(),
        )
    return replace(again, sources=read(wish.folder, config.shipped("templates"))) if wish.folder else again


def _sources(wish: Wish) -> dict[str, str]:
    """Return a letter's texts: of a folder, of a revision, else the newest that were imported."""
    if wish.folder is not None:
        return read(wish.folder, config.shipped("templates"))
    letter = wish.kind or front.KINDS[0]
    with context.opened() as ground, ground.db.read() as connection:
        if wish.revision is not None:
            return templates.as_of(connection, letter, wish.revision)
        found = {name: source for name, (_, source) in templates.newest(connection, letter).items()}
    if not found:
        raise NotFound(
            f"There is no letter {letter}",
            "letters are rendered from imported revisions only",
            "Run: tocsin template import",
        )
    return found


def _face(wish: Wish) -> CampaignFace | None:
    """Return the campaign that is named, as config.toml declares it; None for a sample one."""
    if not wish.campaign:
        return None
    with context.opened() as ground:
        return face_of(declared(ground, wish.campaign)[0])


def _samples(sources: dict[str, str], face: CampaignFace | None) -> Iterator[Sample]:
    matter = front.parse(written.source(sources, front.NAME), written.source(sources, front.TOPICS))
    for sample in samples.samples(matter.kind, tuple(matter.topics), matter.minimum_level):
        yield replace(sample, values=replace(sample.values, face=face)) if face else sample


def _of_sample(sample: Sample, sources: dict[str, str], locales: Sequence[str]) -> Again:
    domain = sample.values.face.from_mailbox.rpartition("@")[2]
    choice = LanguageChoice(tuple(locales), "preview")
    return Again(sample.values, sources, choice, sample.form, MESSAGE_ID.format(domain=domain))


def _made(again: Again, form: str) -> bytes:
    if form == EML:
        unsigned = replace(again.form, pgp=False)  # a preview bears nobody's signature
        return compose.letter(again.values, again.sources, again.choice, unsigned, again.message_id)
    text = written.render(again.values, again.sources, again.choice, again.form, csv=again.form.csv)
    if form == TEXT:
        return f"{text.subject}\n{'=' * min(len(text.subject), WIDTH)}\n\n{text.body}".encode()
    if form == HTML:
        from pipeline.render import html  # a preview of text needs none of it

        return html.page(text).encode()
    from pipeline.render import paper

    sender = tuple(said_lines("postal", again.values.face.postal, locale) for locale in again.choice.locales)
    plain = written.render(again.values, again.sources, again.choice)
    sheet = paper.Sheet(again.values.reference, RECIPIENT, sender, again.values.written_on)
    return paper.pdf(plain, sheet).data


def _review(wish: Wish, folder: Path) -> None:
    """Write every sample of a letter in every order of languages, to be read in a mail program."""
    if wish.contact:
        raise click.UsageError(words.text("--folder is for sample letters: leave --as out"))
    sources, face = _sources(wish), _face(wish)
    there = front.parse(written.source(sources, front.NAME), written.source(sources, front.TOPICS)).locales
    orders = [wish.locales] if wish.locales else [order for order in ORDERS if set(order) <= set(there)]
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for sample in _samples(sources, face):
        for order in orders:
            message = _made(_of_sample(sample, sources, order), EML)
            (folder / f"{sample.values.kind}.{sample.name}.{'+'.join(order)}.eml").write_bytes(message)
            count += 1
    show.emit(
        {"folder": folder, "letters": count},
        lambda: [words.plural("{count} letter in {folder}", "{count} letters in {folder}", count, folder=folder)],
    )
