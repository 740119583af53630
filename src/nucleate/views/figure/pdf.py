"""Write a figure as PDF: the elements of its SVG one by one onto a page, with fonts embedded.

Only what `views.svg` draws is understood: groups, rectangles, lines, circles, text, and paths of
straight lines. The page is as large as the figure.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from nucleate.core import UserError

NAMESPACE = "{http://www.w3.org/2000/svg}"
POINTS_PER_MM = 72.0 / 25.4
INHERITED = ("font-size", "font-weight", "text-anchor", "fill")


def pdf(svg: str) -> bytes:
    """Return a figure as a PDF of one page; the same figure gives the same bytes.

    Args:
        svg: What `sheet.standalone` returns.

    Raises:
        UserError: reportlab is not installed.
    """
    try:
        from reportlab.pdfgen.canvas import Canvas
    except ModuleNotFoundError:
        raise UserError(
            "PDF and PNG need reportlab and pypdfium2",
            fix="pip install 'nucleate[figures]', or ask for --svg",
        ) from None
    _register()
    root = ElementTree.fromstring(svg)
    width, height = (_points(root.get(side, "")) for side in ("width", "height"))
    box = [float(part) for part in root.get("viewBox", "").split()]
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(width, height), invariant=1, initialFontName="Vera")
    canvas.setTitle(root.findtext(f"{NAMESPACE}title", ""))
    canvas.setCreator("nucleate")
    canvas.translate(0, height)
    canvas.scale(width / box[2], -height / box[3])
    _draw(canvas, root, {})
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def without_glyph(svg: str) -> str:
    """Return the characters of a figure for which the embedded font has no glyph, each once."""
    from reportlab.pdfbase.pdfmetrics import getFont

    _register()
    known = getFont("Vera").face.charToGlyph
    said = "".join(ElementTree.fromstring(svg).itertext())
    return "".join(dict.fromkeys(c for c in said if c not in "\n\r\t" and ord(c) not in known))


def _register() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name, file in (("Vera", "Vera.ttf"), ("VeraBd", "VeraBd.ttf")):
        pdfmetrics.registerFont(TTFont(name, file))


def _points(length: str) -> float:
    return float(length.removesuffix("mm")) * POINTS_PER_MM


def _draw(canvas: Any, element: ElementTree.Element, above: Mapping[str, str]) -> None:
    """Draw an element and what is inside it."""
    kind = element.tag.removeprefix(NAMESPACE)
    own = {key: above[key] for key in INHERITED if key in above} | dict(element.attrib)
    if kind == "title":
        return
    canvas.saveState()
    _transform(canvas, element.get("transform", ""))
    _pen(canvas, own)
    if kind == "text":
        _text(canvas, element, own)
    else:
        _shape(canvas, kind, own)
        for child in element:
            _draw(canvas, child, own)
    canvas.restoreState()


def _transform(canvas: Any, transform: str) -> None:
    for name, numbers in re.findall(r"(\w+)\(([^)]*)\)", transform):
        values = [float(part) for part in numbers.split()]
        if name == "translate":
            canvas.translate(*values)
        elif name == "scale":
            canvas.scale(values[0], values[-1])


def _pen(canvas: Any, own: Mapping[str, str]) -> None:
    from reportlab.lib.colors import HexColor

    if own.get("fill", "none") != "none":
        canvas.setFillColor(HexColor(own["fill"]))
    if own.get("stroke", "none") != "none":
        canvas.setStrokeColor(HexColor(own["stroke"]))
    opacity = float(own.get("opacity", 1))  # after the colours, which bring an opacity of 1
    canvas.setFillAlpha(opacity * float(own.get("fill-opacity", 1)))
    canvas.setStrokeAlpha(opacity)
    canvas.setLineWidth(float(own.get("stroke-width", 1)))
    if dashes := own.get("stroke-dasharray"):
        canvas.setDash([float(part) for part in dashes.split()])
    round_ends = own.get("stroke-linecap") == "round"
    canvas.setLineCap(1 if round_ends else 0)
    canvas.setLineJoin(1 if own.get("stroke-linejoin") == "round" else 0)


def _shape(canvas: Any, kind: str, own: Mapping[str, str]) -> None:
    fill = int(own.get("fill", "#000000") != "none")
    stroke = int(own.get("stroke", "none") != "none")
    if kind == "rect":
        x, y, width, height = (float(own[key]) for key in ("x", "y", "width", "height"))
        corner = min(float(own.get("rx", 0)), width / 2, height / 2)
        canvas.roundRect(x, y, width, height, corner, stroke=stroke, fill=fill)
    elif kind == "line":
        canvas.line(*(float(own[key]) for key in ("x1", "y1", "x2", "y2")))
    elif kind == "circle":
        canvas.circle(float(own["cx"]), float(own["cy"]), float(own["r"]), stroke, fill)
    elif kind == "path":
        canvas.drawPath(_path(canvas, own["d"]), stroke=stroke, fill=fill)


def _path(canvas: Any, steps: str) -> Any:
    path = canvas.beginPath()
    for pen, numbers in re.findall(r"([MLZ])([^MLZ]*)", steps):
        if pen == "Z":
            path.close()
        else:
            (path.moveTo if pen == "M" else path.lineTo)(*map(float, numbers.split()))
    return path


def _text(canvas: Any, element: ElementTree.Element, own: Mapping[str, str]) -> None:
    """Write a text; its parts stand behind each other and may differ in weight."""
    parts = [(element.text or "", own)]
    for child in element:
        parts += [(child.text or "", {**own, **child.attrib}), (child.tail or "", own)]
    styled = [(words, _font(style), float(style.get("font-size", 12))) for words, style in parts]
    length = sum(canvas.stringWidth(words, font, size) for words, font, size in styled)
    anchor = {"middle": 0.5, "end": 1.0}.get(own.get("text-anchor", ""), 0.0)
    x, y = float(own["x"]) - anchor * length, float(own["y"])
    canvas.translate(x, y)
    canvas.scale(1, -1)
    x = 0.0
    for words, font, size in styled:
        canvas.setFont(font, size)
        canvas.drawString(x, 0, words)
        x += canvas.stringWidth(words, font, size)


def _font(style: Mapping[str, str]) -> str:
    weight = float(style.get("font-weight", 400))
    return "VeraBd" if math.isfinite(weight) and weight >= 600 else "Vera"
