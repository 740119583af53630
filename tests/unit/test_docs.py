"""The documents tell the truth about the tree."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
MODULES = sorted(
    path for path in (ROOT / "src" / "nucleate").rglob("*.py") if not path.name.startswith("__")
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_module_stands_in_the_architecture_with_its_own_first_line(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    first = docstring.split("\n\n")[0].replace("\n", " ").rstrip(".")
    assert any(
        line.split()[:1] == [path.name] and line.rstrip().endswith(first)
        for line in PAGE.splitlines()
    ), f"docs/architecture.md lacks: {path.name}  {first}"


@pytest.mark.parametrize("page", ["cost.md", "mechanism.md"])
def test_the_pages_that_refusals_name_list_every_known_architecture(page: str) -> None:
    from nucleate.core.families import FAMILIES
    from nucleate.models.families import FAMILIES as WITH_HEADS

    words = set(re.findall(r"\w+", (ROOT / "docs" / page).read_text()))
    assert set(WITH_HEADS if page == "mechanism.md" else FAMILIES) <= words


def test_the_page_that_a_refusal_names_lists_every_published_item_set() -> None:
    from nucleate.corpora.sets.catalogue import CATALOGUE

    words = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "suite.md").read_text()))
    assert {published.name for published in CATALOGUE} <= words


def test_no_machine_paths_in_the_tree() -> None:
    for folder in ("src", "docs", "recipes", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".md", ".yaml"):
                assert f"/{'root'}/" not in path.read_text(), path
