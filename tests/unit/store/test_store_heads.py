"""Arrays of layer × head: what is written is what is read, and damage is left out and counted."""

import csv
import math
import sys

import numpy as np
import pytest
from tests.unit.views.made_heads import LOOKS, TAKEN, at, table, write_heads_run

from nucleate.core import UserError
from nucleate.core.heads import Example, HeadScores, HeadTable, Role
from nucleate.store import Manifest, Run, RunWriter
from nucleate.store.heads import pack_heads, since, unpack_heads


@pytest.fixture
def path(tmp_path):
    return write_heads_run(tmp_path / "run")


def side_files(path):
    return sorted((path / "heads").iterdir(), key=lambda file: int(file.stem.split("step")[1]))


def test_every_bit_comes_back():
    values = np.array([[0.1 + 0.2, math.nan, -0.0]])
    scores = HeadScores("x", values, values * np.pi, math.nan, 7, "nats")
    role = Role("L0H1", "entity link", 0.1 + 0.2, 1e-300)
    back = unpack_heads(pack_heads(HeadTable({"a": scores}, {"r": ("a", "b")}, (role,))))
    assert back.scores["a"].values_LH.tobytes() == values.tobytes()
    assert back.scores["a"].se_LH.tobytes() == (values * np.pi).tobytes()
    assert (back.scores["a"].name, back.scores["a"].n, back.scores["a"].unit) == ("x", 7, "nats")
    assert math.isnan(back.scores["a"].chance)
    assert (back.asked, back.roles) == ({"r": ("a", "b")}, (role,))


def test_a_run_gives_its_looks_back(path):
    history = Run.open(path).heads()
    assert [step.tokens for step in history.steps] == list(LOOKS)
    assert history.steps[3] == at(LOOKS[3])
    assert history.names == ("entity_link", "name_mover", "ablation.state", "ablation.holder")
    assert history.values("entity_link").shape == (13, 2, 3)
    assert history.values("entity_link")[:, 1, 0].tolist() == [
        0.9 if look >= TAKEN or look == 3 else 0.1 for look in range(13)
    ]
    assert (history.se("ablation.state") == 0.1).all()
    assert history.holders("entity link") == tuple(
        ("L1H0",) if look >= TAKEN or look == 3 else () for look in range(13)
    )
    with pytest.raises(KeyError, match="no score of heads is called 'x'; there: entity_link"):
        history.values("x")


def test_since_counts_from_the_last_gap(path):
    history = Run.open(path).heads()
    assert since(history, "entity link", "L1H0") == (LOOKS[TAKEN - 1], LOOKS[TAKEN])
    assert all(math.isnan(x) for x in since(history, "name mover", "L1H0"))


@pytest.mark.parametrize(("looks", "before"), [((3, TAKEN), 0.0), ((TAKEN,), math.nan)])
def test_a_look_before_any_training_is_a_look(tmp_path, looks, before):
    """A role taken after the look at 0 tokens was not there at the first look."""
    with RunWriter.create(tmp_path / "run", Manifest("from 0")) as writer:
        for tokens, look in zip((0, 50_000)[-len(looks) :], looks, strict=True):
            writer.heads(at(tokens), table(look, roles=look == TAKEN))
    history = Run.open(tmp_path / "run").heads()
    told = since(history, "entity link", "L1H0")
    assert told == pytest.approx((before, 50_000), nan_ok=True)


def test_heads_that_grew_later_are_missing_before(tmp_path):
    small, large = np.ones((1, 2)), np.full((2, 2), 3.0)
    with RunWriter.create(tmp_path / "run", Manifest("grows")) as writer:
        for step, values in ((1, small), (2, large)):
            writer.heads(at(step * 1000), HeadTable({"a": HeadScores("a", values, values, 0, 1)}))
    values = Run.open(tmp_path / "run").heads().values("a")
    np.testing.assert_array_equal(values, [[[1, 1], [math.nan] * 2], [[3, 3], [3, 3]]])


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove", "empty"])
def test_a_damaged_side_file_is_left_out_and_counted(path, harm):
    file = side_files(path)[4]
    content = file.read_bytes()
    if harm == "remove":
        file.unlink()
    elif harm == "flip":
        file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    else:
        file.write_bytes(content[: len(content) // 2] if harm == "truncate" else b"")
    history = Run.open(path).heads()
    assert history.damaged == (file.name,)
    assert [step.tokens for step in history.steps] == [t for i, t in enumerate(LOOKS) if i != 4]


@pytest.mark.parametrize("content", [b"", b"x" * 7, b"\xff" * 64, b"\2\0\0\0\0\0\0\0{}"])
def test_other_bytes_are_refused(content):
    with pytest.raises(ValueError, match="no table of heads"):
        unpack_heads(content)


def test_what_a_later_attempt_does_again_replaces_the_rest(path):
    with RunWriter.resume(path, at(LOOKS[4])) as writer:
        writer.heads(at(LOOKS[5]), table(TAKEN))
    history = Run.open(path).heads()
    assert [step.tokens for step in history.steps] == list(LOOKS[:6])
    assert history.values("entity_link")[5, 1, 0] == 0.9
    assert not history.damaged


def test_a_file_outside_the_folder_is_never_read(path):
    (path / "secret").write_bytes(pack_heads(table(TAKEN)))
    with RunWriter.resume(path, at(LOOKS[-1])) as writer:
        data = {"at": {"step": 99, "tokens": 10**7, "flops": 0, "wall": 0, "lr": 0}}
        writer._log.append("heads", data | {"file": "../secret", "sha256": ""})
    assert Run.open(path).heads().damaged == ("../secret",)


def test_the_long_table(path, tmp_path):
    Run.open(path).export_heads(tmp_path / "heads.csv")
    with (tmp_path / "heads.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13 * 4 * 6
    one = next(
        row
        for row in rows
        if (row["tokens"], row["score"], row["layer"], row["head"])
        == (str(LOOKS[-1]), "entity_link", "1", "0")
    )
    assert (one["value"], one["se"], one["chance"], one["n"]) == ("0.9", "0.02", "0.1", "40")
    assert (one["ablation"], one["effect"], one["effect_se"]) == ("ablation.state", "2.5", "0.1")
    alone = next(row for row in rows if row["score"] == "ablation.state")
    assert (alone["ablation"], alone["effect"]) == ("", "")


def test_the_long_table_as_parquet(path, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    Run.open(path).export_heads(tmp_path / "heads.parquet")
    found = pq.read_table(tmp_path / "heads.parquet").to_pydict()
    assert len(found["value"]) == 13 * 4 * 6
    assert max(found["value"]) == 2.5


def test_labelled_arrays_carry_units_and_roles(path):
    pytest.importorskip("xarray")
    history = Run.open(path).heads()
    found = history.to_xarray()
    assert dict(found.sizes) == {"step": 13, "layer": 2, "head": 3}
    assert found["tokens"].values.tolist() == list(LOOKS)
    link = found["entity_link"]
    assert link.dims == ("step", "layer", "head")
    assert link.attrs == {"unit": "fraction", "chance": 0.1, "n": 40}
    np.testing.assert_array_equal(link.values, history.values("entity_link"))
    assert float(found["entity_link.se"][0, 0, 0]) == 0.02
    held = found["role.entity link"]
    assert int(held.sum()) == 13 - TAKEN + 1
    assert bool(held.sel(layer=1, head=0)[TAKEN])
    assert int(found["role.name mover"].sum()) == 0


def test_labelled_arrays_without_xarray_are_one_line(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(UserError, match=r"xarray; pip install 'nucleate\[xarray\]'"):
        Run.open(path).heads().to_xarray()


def test_where_heads_look_in_a_story_comes_back():
    seen = Example(("the", "key"), "otto", np.arange(12.0).reshape(2, 3, 2))
    plain = table(0)
    back = unpack_heads(pack_heads(HeadTable(plain.scores, plain.asked, plain.roles, seen))).example
    assert (back.words, back.answer) == (seen.words, seen.answer)
    np.testing.assert_array_equal(back.attention_LHT, seen.attention_LHT)
    assert unpack_heads(pack_heads(plain)).example is None
    assert plain.joined(HeadTable(example=seen)).example is seen
