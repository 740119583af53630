"""A folder with a copied, an exchanged, a truncated and a flipped checkpoint: each is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nucleate.models.series import find_series, open_weights
from nucleate.observe.scan import scan
from nucleate.store import Run

NAMES = {
    "duplicate": ("step6", "step2"),
    "swapped": ("step4", "step16"),
    "truncated": ("step9",),
    "damaged": ("step12",),
}


def damage(folder: Path) -> None:
    shutil.rmtree(folder / "step6")
    shutil.copytree(folder / "step2", folder / "step6")
    (folder / "step4").rename(folder / "aside")
    (folder / "step16").rename(folder / "step4")
    (folder / "aside").rename(folder / "step16")
    cut = folder / "step9" / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-500])
    (member,) = (m for m in find_series(str(folder)).members if m.name == "step12")
    offset = open_weights(member).tensors["model.layers.0.mlp.down_proj.weight"].offset
    path = folder / "step12" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[offset + 4 * 17 + 3] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("manifest", [False, True])
def test_each_is_named_and_the_rest_is_measured(
    tmp_path: Path,
    make_series: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    manifest: bool,
) -> None:
    monkeypatch.setattr("nucleate.probes.suites._NGRAM_SHARDS", 2)
    folder = make_series(tmp_path / "s", manifest=manifest)
    damage(folder)
    notes: list[str] = []
    out = scan(
        folder,
        out=tmp_path / "out",
        suite="story",
        items=8,
        context=64,
        listener=_Notes(notes),
    )
    run = Run.open(out)
    events = {event.kind: event.text for event in run.events() if event.kind in NAMES}
    for kind, names in NAMES.items():
        assert all(name in events[kind] for name in names), events
    assert set(events.values()) <= set(notes)
    left = {step.step for step, _ in run.readings()}
    assert left == {1, 2, 20}  # of 1 2 4 6 9 12 16 20
    certified = any("flipped bit" in event.text for event in run.events())
    assert certified != manifest  # without manifests, the run says what could not be seen


class _Notes:
    """Keeps what a user would see."""

    def __init__(self, notes: list[str]) -> None:
        self.on_note = notes.append

    def on_check(self, *_: object) -> None: ...
    def on_start(self, *_: object) -> None: ...
    def on_part(self, *_: object) -> None: ...
    def on_scored(self, *_: object) -> None: ...
