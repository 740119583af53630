"""A figure as one SVG that stands alone: drawings laid out on paper, every style written out.

One user unit is a pixel of the report's drawings and 2/3 pt on paper, so that their 12-pixel text
is printed at 8 pt whatever the width of the figure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup, escape

from nucleate.views import svg
from nucleate.views.figure.style import PAPER, resolved

UNIT = 2.0 / 3.0
"""Points in one user unit."""

POINTS_PER_MM = 72.0 / 25.4

FONTS = "Bitstream Vera Sans, DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"

LINE = 18.0
"""Height of a line of text above or beneath the drawings, in user units."""

GAP = 26.0

_DROPPED = ("class", "data-read", "tabindex", "role", "aria-label", "style")
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is drawn, and how large.

    Attributes:
        title: What a screen reader and the properties of the file say.
        drawings: SVG elements with a view box, in reading order.
        titles: A heading of each drawing; none when empty.
        above, beneath: One line over and under all drawings.
        columns: How many drawings stand side by side.
    """

    title: str
    drawings: tuple[Markup, ...]
    titles: tuple[str, ...] = ()
    above: str = ""
    beneath: str = ""
    columns: int = 1


def standalone(sheet: Sheet, width_mm: float) -> str:
    """Return the figure as the text of an SVG file, `width_mm` wide; the same run, the same bytes.

    Raises:
        ValueError: It would be higher than a page can be (5 m).
    """
    width = units(width_mm)
    body, height = _laid_out(sheet, width)
    if height * UNIT > 14_400:
        raise ValueError("higher than a page can be")
    high_mm = height * UNIT / POINTS_PER_MM
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{width_mm:.2f}mm" height="{high_mm:.2f}mm" '
        f'viewBox="0 0 {width:.2f} {height:.2f}" font-family="{FONTS}" role="img">'
    )
    text = f"{head}<title>{escape(sheet.title)}</title>{''.join(body)}</svg>"
    return written_out(text, PAPER) + "\n"


def written_out(text: str, colours: Mapping[str, str]) -> str:
    """Return an SVG whose classes have become attributes, so that it needs no style sheet.

    Args:
        text: One `svg` element.
        colours: Colours that stand in for those of the light page, by name.
    """
    root = ElementTree.fromstring(_ILLEGAL.sub("\ufffd", text))
    _write_out(root, (), colours)
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    return ElementTree.tostring(root, encoding="unicode")


def units(width_mm: float) -> float:
    """Return a width on paper in user units."""
    return width_mm * POINTS_PER_MM / UNIT


def _laid_out(sheet: Sheet, width: float) -> tuple[list[Markup], float]:
    """Return the parts of a figure and its height, in user units."""
    columns = min(sheet.columns, len(sheet.drawings)) or 1
    cell = (width - GAP * (columns - 1)) / columns
    headed = LINE + 4 if sheet.titles else 0.0
    top = LINE + (8.0 if sheet.titles else 0.0) if sheet.above else 4.0
    parts = []
    if sheet.above:
        parts.append(svg.text(2, 12, sheet.above, class_="axis-title"))
    for first in range(0, len(sheet.drawings), columns):
        row = range(first, min(first + columns, len(sheet.drawings)))
        heights = []
        for index in row:
            x = (index - first) * (cell + GAP)
            if sheet.titles:
                parts += _title(sheet.titles[index], x, top + 13, cell)
            natural, high = view_box(sheet.drawings[index])
            scale = cell / natural
            place = f"translate({x:.2f} {top + headed:.2f}) scale({scale:.4f})"
            parts.append(svg.tag("g", sheet.drawings[index], transform=place))
            heights.append(headed + high * scale)
        top += max(heights, default=0.0) + (GAP if row.stop < len(sheet.drawings) else 4.0)
    if sheet.beneath:
        middle = width / 2
        parts.append(
            svg.text(middle, top + 12, sheet.beneath, class_="axis-title", text_anchor="middle")
        )
        top += LINE
    background = svg.rect(0, 0, width, top, fill="#ffffff")
    return [background, *parts], top


def _title(words: str, x: float, y: float, room: float) -> list[Markup]:
    most = max(8, int(room / 8.0))
    shown = words if len(words) <= most else words[: most - 1] + "…"
    return [svg.text(x + 2, y, shown, font_size=13, font_weight=600, class_="cell-word")]


def view_box(drawing: Markup) -> tuple[float, float]:
    """Return the natural width and height of a drawing."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert found is not None, "a drawing has a view box"
    return float(found[1]), float(found[2])


def _write_out(
    element: ElementTree.Element, around: Sequence[str], colours: Mapping[str, str]
) -> None:
    """Replace classes by the attributes they stand for; inner `svg` elements become groups."""
    own = element.get("class", "").split()
    given = {key: value for key, value in element.attrib.items() if key not in _DROPPED}
    element.attrib.clear()
    element.attrib.update(resolved(own, around, colours) | given)
    if element.tag.endswith("svg") and around:
        element.tag = element.tag.removesuffix("svg") + "g"
        element.attrib.pop("viewBox", None)
    inside = (*around, *own) or ("figure",)
    for child in element:
        _write_out(child, inside, colours)
