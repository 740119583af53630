"""Figures for papers: the size that was asked for, the words of the run, no colour alone."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nucleate.core import Level, Reading, Step, UserError
from nucleate.store import Manifest, RunWriter
from nucleate.views.figure.command import millimetres, write_figures
from nucleate.views.figure.style import resolved
from tests.unit.views.made_heads import write_heads_run

MM = 72 / 25.4


def opened(path: Path):
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument(path)
    assert len(document) == 1
    return document, document[0]


def words(path: Path) -> str:
    document, page = opened(path)
    said = " ".join(page.get_textpage().get_text_range().split())
    document.close()
    return said


@pytest.mark.parametrize(("width", "expected"), [("85mm", 85.0), ("3.35in", 85.09), ("17cm", 170)])
def test_the_page_is_as_wide_as_asked(run_path, tmp_path, width, expected):
    [path] = write_figures(run_path, "ladder", out=tmp_path / "a.pdf", width=width)
    document, page = opened(path)
    assert page.get_width() == pytest.approx(expected * MM, abs=0.05)
    document.close()


def test_a_pdf_holds_the_words_of_the_drawing_in_embedded_fonts(run_path, tmp_path):
    [path] = write_figures(run_path, "ladder", out=tmp_path / "a.pdf")
    said = words(path)
    for word in ("Syntax", "Knowledge", "Training tokens", "refinement", "Score: 0 at chance"):
        assert word in said
    content = path.read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert not re.search(rb"/BaseFont /(Helvetica|Times)", content)


def test_the_same_run_gives_the_same_bytes(run_path, tmp_path):
    kinds = ("svg", "pdf", "png")
    first = write_figures(run_path, "ladder", formats=kinds, out=tmp_path / "a.svg")
    again = write_figures(run_path, "ladder", formats=kinds, out=tmp_path / "b.svg")
    assert [path.suffix for path in first] == [".svg", ".pdf", ".png"]
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(first, again, strict=True)] == [
        True,
        True,
        True,
    ]


def test_a_png_has_the_pixels_of_its_width(run_path, tmp_path):
    from PIL import Image

    [path] = write_figures(run_path, "ladder", out=tmp_path / "a.png", width="4in", dpi=100)
    with Image.open(path) as picture:
        assert picture.width == 400
        assert round(picture.info["dpi"][0]) == 100
        assert picture.getpixel((0, 0)) == (255, 255, 255)
        # Bands are translucent: nowhere may a level's own colour cover a hundredth of the picture.
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    solid = (pixels == (0x00, 0x69, 0xA8)).all(axis=1).mean()
    assert 0 < solid < 0.01


def test_an_svg_stands_alone(run_path, tmp_path):
    [path] = write_figures(run_path, "panels", out=tmp_path / "a.svg")
    text = path.read_text()
    root = ElementTree.fromstring(text)
    assert root.get("width") == "170.00mm"
    assert not re.search(r"class=|var\(|<style|data-read|https?://(?!www\.w3\.org/2000/svg)", text)
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds <= {"svg", "title", "g", "rect", "line", "path", "circle", "text", "tspan"}
    assert "nan" not in text
    strokes = {element.get("stroke") for element in root.iter()} - {None, "none"}
    assert all(re.fullmatch(r"#[0-9a-f]{6}", stroke) for stroke in strokes)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("loss", "nats per token"),
        ("panels", "Recall of rare facts"),
        ("syntax", "Simple agreement"),
        ("fact.rare", "Recall of rare facts"),
        ("fact.rare.margin", "margin"),
        ("refrain", "Copying a refrain"),
    ],
)
def test_what_can_be_drawn(run_path, tmp_path, name, word):
    [path] = write_figures(run_path, name, out=tmp_path / "a.pdf")
    assert word in words(path)


def test_one_measure_is_drawn_alone(run_path, tmp_path):
    [both] = write_figures(run_path, "fact.rare", out=tmp_path / "a.pdf")
    [one] = write_figures(run_path, "fact.rare.margin", out=tmp_path / "b.pdf")
    assert "accuracy" in words(both)
    assert "accuracy" not in words(one)


def test_heads_are_drawn_where_they_were_looked_at(run_path, tmp_path):
    [path] = write_figures(
        write_heads_run(tmp_path / "run"), "heads", out=tmp_path / "a.pdf", width="85mm"
    )
    assert "Entity link" in words(path)
    with pytest.raises(UserError, match="never looked at"):
        write_figures(run_path, "heads", out=tmp_path / "b.pdf")


def test_without_a_file_it_goes_into_the_run_folder(tmp_path):
    run = write_heads_run(tmp_path / "run")
    assert write_figures(run, "heads", formats=["svg"]) == [run / "figures" / "heads.svg"]
    assert write_figures(run, "cause.all.accuracy")[0].name == "cause.all.accuracy.svg"


@pytest.mark.parametrize("name", ["lader", "../../x", "", "state.wher", "\x1b[2J"])
def test_an_unknown_name_is_one_line_with_a_way_out(run_path, tmp_path, name):
    with pytest.raises(UserError) as caught:
        write_figures(run_path, name, out=tmp_path / "a.svg")
    assert len(str(caught.value)) <= 200
    if name == "lader":
        assert str(caught.value).endswith("did you mean 'ladder'?")


@pytest.mark.parametrize("width", ["", "0", "-5mm", "1e9", "nan", "5 feet", "39.9mm", "601", "٣mm"])
def test_a_width_that_is_none(width):
    with pytest.raises(UserError, match="is no width"):
        millimetres(width)


def test_a_format_must_be_clear(run_path, tmp_path):
    with pytest.raises(UserError, match="format of the figure"):
        write_figures(run_path, "ladder", out=tmp_path / "a.tiff")


def test_names_cannot_leave_the_drawing(tmp_path):
    evil = "</text><script>x</script>&\x00\x1b\ufffe<"
    with RunWriter.create(tmp_path / "run", Manifest(evil)) as writer:
        for k in range(6):
            reading = Reading(f"{evil}.accuracy", 0.1 * k, 0.01, 10, 0.0, "fraction", Level.SYNTAX)
            writer.reading(Step(k, 1000 * 2**k), reading)
    paths = write_figures(tmp_path / "run", "panels", formats=["svg", "pdf"], out=tmp_path / "a.x")
    root = ElementTree.parse(paths[0]).getroot()
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert "<script>" in "".join(root.itertext())


def test_a_letter_without_a_glyph_is_said(tmp_path, capsys):
    with RunWriter.create(tmp_path / "run", Manifest("r")) as writer:
        for k in range(6):
            writer.reading(Step(k, 1000 * 2**k), Reading("знание.accuracy", 0.1 * k))
    write_figures(tmp_path / "run", "panels", out=tmp_path / "a.pdf")
    assert "the embedded font lacks 'Знаие'" in capsys.readouterr().err
    write_figures(tmp_path / "run", "panels", out=tmp_path / "a.svg")
    assert capsys.readouterr().err == ""
    assert "Знание" in (tmp_path / "a.svg").read_text()


def test_without_the_extra_one_line_says_what_to_install(run_path, tmp_path):
    code = (
        "import sys; sys.modules['reportlab.pdfgen.canvas'] = None\n"
        f"sys.argv = ['nucleate', 'figure', {str(run_path)!r}, 'loss', '--pdf',"
        f" '--out', {str(tmp_path / 'a.pdf')!r}]\n"
        "from nucleate.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'nucleate[figures]'" in done.stderr


def test_levels_stay_apart_for_colour_blind_eyes():
    """The five levels of the ladder, seen with each kind of dichromacy (Viénot et al. 1999)."""
    ladder = [str(level) for level in list(Level)[:5]]
    rgb = {level: _linear(resolved(["line", f"lv-{level}"], [])["stroke"]) for level in ladder}
    for blind in (_PROTAN, _DEUTAN):
        for one, other in combinations(ladder, 2):
            apart = math.dist(_lab(blind @ rgb[one]), _lab(blind @ rgb[other]))
            assert apart > 10, (one, other, apart)


# Linear sRGB to what a protanope and a deuteranope see.
_PROTAN = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
_DEUTAN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def _linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    ratio = to_xyz @ np.clip(linear, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_a_name_that_says_another_format_is_refused(run_path, tmp_path):
    with pytest.raises(UserError, match=r"another format.*\.svg.*expected \.pdf"):
        write_figures(run_path, "ladder", formats=["pdf"], out=tmp_path / "a.svg")
    assert not list(tmp_path.iterdir())
