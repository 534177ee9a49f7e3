"""The paper that pictures are drawn on: an SVG page, and texts and lines on it, in light and in dark.

Pure.  Colours are attributes as well as classes, so that a program that knows no style sheet draws the light picture.
Standards: SVG 1.1; prefers-color-scheme of Media Queries Level 5.
"""

from collections.abc import Iterable, Mapping
from html import escape

INKS: Mapping[str, tuple[str, str]] = {  # class -> (light, dark)
    "paper": ("#ffffff", "#0d1117"),
    "edge": ("#d0d7de", "#3d444d"),
    "ink": ("#1f2328", "#e6edf3"),
    "faint": ("#59636e", "#9198a1"),
    "strong": ("#0550ae", "#79c0ff"),
    "band": ("#f6f8fa", "#151b23"),
}
MONO = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
SANS = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif"


def page(width: float, height: float, title: str, description: str, body: Iterable[str]) -> str:
    """Return the picture's whole source.  `title` and `description` are what a reader who cannot see it is told."""
    dark = "".join(f".{name}{{fill:{dark}}}.line.{name}{{fill:none;stroke:{dark}}}" for name, (_, dark) in INKS.items())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description" '
            f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>",
            box(0.5, 0.5, width - 1, height - 1, "paper", radius=6),
            f'<rect class="line edge" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="6" '
            f'fill="none" stroke="{INKS["edge"][0]}"/>',
            *body,
            "</svg>\n",
        ]
    )


def box(x: float, y: float, width: float, height: float, ink: str, radius: float = 0) -> str:
    """Return a filled rectangle."""
    shape = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
    return f'<rect class="{ink}" {shape} fill="{INKS[ink][0]}"/>'


def path(course: str, ink: str, width: float = 1) -> str:
    """Return a line along `course`, in SVG's path language."""
    return f'<path class="line {ink}" d="{course}" fill="none" stroke="{INKS[ink][0]}" stroke-width="{width:g}"/>'


def shape(course: str, ink: str) -> str:
    """Return a filled shape whose outline is `course`."""
    return f'<path class="{ink}" d="{course}" fill="{INKS[ink][0]}"/>'


def dot(x: float, y: float, radius: float, ink: str) -> str:
    """Return a filled circle."""
    return f'<circle class="{ink}" cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{INKS[ink][0]}"/>'


def text(
    x: float, y: float, said: str, ink: str, *, size: float, font: str, anchor: str = "start", width: float = 0
) -> str:
    """Return one line of text, its blanks kept; `width` is how wide it must be, whatever the reader's font."""
    fixed = f' textLength="{width:g}" lengthAdjust="spacingAndGlyphs"' if width else ""
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-family="{font}" font-size="{size:g}"'
    return f'<text class="{ink}" {place} xml:space="preserve" fill="{INKS[ink][0]}"{fixed}>{escape(said)}</text>'
