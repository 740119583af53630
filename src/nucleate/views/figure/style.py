"""The report's style sheet as plain SVG attributes, so that a drawing needs no CSS around it.

Word processors and drawing programs know neither CSS variables nor class selectors. The light
palette and the rules of `report.css` are resolved here once; there is no second list of colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

PROPERTIES = (
    "fill",
    "fill-opacity",
    "font-size",
    "font-weight",
    "opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-width",
)
"""What a drawing takes over from the style sheet."""

PAPER = {"paper": "#ffffff"}
"""Colours that differ from the light page: paper is white."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A selector of one or two compounds of classes, and what it sets."""

    within: frozenset[str]
    classes: frozenset[str]
    values: dict[str, str]

    @property
    def weight(self) -> int:
        """Number of classes: the more of them, the later the rule is applied."""
        return len(self.within) + len(self.classes)


def resolved(
    classes: Sequence[str], ancestors: Sequence[str], colours: Mapping[str, str] = PAPER
) -> dict[str, str]:
    """Return the attributes of an element.

    Args:
        classes: Its own classes.
        ancestors: The classes of everything around it.
        colours: Colours that stand in for those of the light page, by name.

    >>> resolved(["line", "lv-syntax"], [])["stroke"]
    '#0069a8'
    """
    light, rules = _sheet()
    palette = {**light, **colours}
    own, around = set(classes), set(ancestors)
    found: dict[str, str] = {}
    for rule in rules:
        if rule.classes <= own and rule.within <= around:
            found |= rule.values
    colour = found.pop("--c", "")
    levels = [each.removeprefix("lv-") for each in ancestors if each.startswith("lv-")]
    colour = colour or next((palette[each] for each in levels if each in palette), palette["ink"])
    return {
        key: _colour(value, palette, colour) for key, value in found.items() if key in PROPERTIES
    }


def _colour(value: str, palette: dict[str, str], own: str) -> str:
    named = re.fullmatch(r"var\(--([\w-]+)\)", value)
    if named is None:
        return value.removesuffix("px")
    return _colour(own, palette, "") if named[1] == "c" else palette[named[1]]


@cache
def _sheet() -> tuple[dict[str, str], tuple[Rule, ...]]:
    """Return the light palette and the rules whose selectors are classes, weakest first."""
    css = files("nucleate.views").joinpath("templates/report.css").read_text(encoding="utf-8")
    palette: dict[str, str] = {}
    rules = []
    for selectors, body in _blocks(css):
        values = dict(_declarations(body))
        if selectors == ":root":
            palette |= {key[2:]: value for key, value in values.items() if key.startswith("--")}
        for selector in selectors.split(","):
            parts = selector.split()
            if parts and len(parts) < 3 and all(re.fullmatch(r"(\.[\w-]+)+", p) for p in parts):
                compounds = [frozenset(part.split(".")[1:]) for part in parts]
                within = compounds[0] if len(compounds) == 2 else frozenset[str]()
                rules.append(Rule(within, compounds[-1], values))
    return palette, tuple(sorted(rules, key=lambda rule: rule.weight))


def _blocks(css: str) -> Iterator[tuple[str, str]]:
    """Yield the rules that stand outside every at-rule."""
    at, end = 0, len(css)
    while (start := css.find("{", at)) >= 0:
        selectors = css[at:start].strip()
        depth, stop = 1, start + 1
        while depth and stop < end:
            depth += {"{": 1, "}": -1}.get(css[stop], 0)
            stop += 1
        if not selectors.startswith("@"):
            yield selectors, css[start + 1 : stop - 1]
        at = stop


def _declarations(body: str) -> Iterator[tuple[str, str]]:
    for declaration in body.split(";"):
        key, colon, value = declaration.partition(":")
        if colon:
            yield key.strip(), value.strip()
