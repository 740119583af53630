from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nucleate.views.page.app import make_app
from nucleate.views.page.doors import Doors
from tests.unit.views.page.made import small_run


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with three runs and, beside it, a file that nobody may read through the page."""
    outer = tmp_path_factory.mktemp("outer")
    (outer / "secret.txt").write_text("the secret outside")
    small_run(outer / "elsewhere", name="the run outside")
    root = outer / "root"
    small_run(root / "a", notes="first try #keep")
    small_run(root / "deep" / "b", name="second", seed=1, end=None)
    small_run(root / "c", name="third", end="interrupted", loss=float("nan"))
    (root / "link").symlink_to(outer / "elsewhere")
    (root / "a" / "secret").symlink_to(outer / "secret.txt")
    return root


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def client(shelf: Path, doors: Doors) -> Iterator[TestClient]:
    """A browser that has not come in yet."""
    with TestClient(make_app(shelf, doors), base_url="http://127.0.0.1:7860") as browser:
        yield browser


@pytest.fixture
def inside(client: TestClient, doors: Doors) -> TestClient:
    """A browser that came by the printed address."""
    assert client.get("/", params={"token": doors.token}).status_code == 200
    return client
