"""Runs as tables of other tools: every number comes back, and what is missing is one line."""

import math

import pytest
from typer.testing import CliRunner

from nucleate.cli import app
from nucleate.core import Event, Level, Reading, RunFolderError, Step, UserError
from nucleate.store import Manifest, Run, RunWriter
from nucleate.store import export as exporting


@pytest.fixture
def run(tmp_path):
    with RunWriter.create(tmp_path / "run", Manifest("named", {"tokens": 9})) as writer:
        for step in (1, 2, 4):
            at = Step(step, step * 4096, step * 1e9)
            half = Reading("a.accuracy", step / 8, 0.125, 4, 0.5, "fraction", Level.SYNTAX)
            writer.readings(at, [half] if step == 2 else [half, Reading("b.nats", math.inf)])
            writer.loss(at, 6 / step, math.nan)
        writer.event(Event(at, "note", "it's “quoted”"))
    return Run.open(tmp_path / "run")


def test_parquet(run, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    exporting.export(run, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet").to_pydict()
    assert table["metric"] == ["a.accuracy"] * 3 + ["b.nats"] * 2
    assert table["tokens"] == [4096, 8192, 16384, 4096, 16384]
    assert table["value"] == [0.125, 0.25, 0.5, math.inf, math.inf]
    assert table["se"] == [0.125] * 3 + [None] * 2
    assert (table["level"][0], table["n"][0], table["chance"][4]) == ("syntax", 4, None)


def test_duckdb(run, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    (tmp_path / "a.duckdb").write_bytes(b"something older")
    exporting.export(run, tmp_path / "a.duckdb")
    with duckdb.connect(str(tmp_path / "a.duckdb"), read_only=True) as database:

        def ask(query):
            return database.execute(query).fetchall()

        assert ask("select tokens, value, se from readings where metric = 'a.accuracy'") == [
            (4096, 0.125, 0.125), (8192, 0.25, 0.125), (16384, 0.5, 0.125)
        ]  # fmt: skip
        assert ask("select count(*), count(se), max(value) from readings") == [(5, 3, math.inf)]
        assert ask("select step, loss, grad_norm from losses order by step") == [
            (1, 6.0, None), (2, 3.0, None), (4, 1.5, None)
        ]  # fmt: skip
        assert ask("select step, kind, text from events") == [(4, "note", "it's “quoted”")]
        assert ask("select json from run where key = 'name'") == [('"named"',)]


def test_netcdf(run, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    pytest.importorskip("h5py")
    exporting.export(run, tmp_path / "a.nc")
    with xarray.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as found:
        assert set(found.data_vars) == {"a.accuracy", "a.accuracy.se", "b.nats"}
        assert found["a.accuracy"].values.tolist() == [0.125, 0.25, 0.5]
        assert found["b.nats"].values.tolist()[::2] == [math.inf, math.inf]
        assert math.isnan(found["b.nats"].values[1])
        assert found["tokens"].values.tolist() == [4096, 8192, 16384]
        assert found["a.accuracy"].attrs == {"level": "syntax", "units": "fraction", "chance": 0.5}
        assert found.attrs["run"] == "named"


def test_a_run_without_readings_is_an_empty_table(tmp_path):
    RunWriter.create(tmp_path / "run", Manifest("empty")).close()
    run = Run.open(tmp_path / "run")
    names = [".csv", ".parquet"]
    names += [".duckdb"] if exporting.find_spec("duckdb") else []
    for suffix in names:
        exporting.export(run, tmp_path / f"empty{suffix}")
    assert (tmp_path / "empty.csv").read_text() == ",".join(exporting.COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("suffix", "package", "extra"),
    [(".parquet", "pyarrow", "data"), (".duckdb", "duckdb", "duckdb"), (".nc", "xarray", "xarray")],
)
def test_a_package_that_is_not_installed_is_a_line(
    run, tmp_path, monkeypatch, suffix, package, extra
):
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        exporting.export(run, tmp_path / f"a{suffix}")
    text = str(caught.value)
    assert text.endswith(f"needs the package {package}; pip install 'nucleate[{extra}]'")
    assert len(text) <= 200
    assert not (tmp_path / f"a{suffix}").exists()


def test_what_cannot_be_written_is_a_line(run, tmp_path):
    with pytest.raises(UserError, match=r"expected \.csv, \.parquet, \.duckdb, \.nc"):
        exporting.export(run, tmp_path / "a.xlsx")
    suffixes = [".csv", ".parquet"] + ([".duckdb"] if exporting.find_spec("duckdb") else [])
    for suffix in suffixes:
        with pytest.raises(RunFolderError, match="table cannot be written"):
            exporting.export(run, tmp_path / "no" / f"a{suffix}")


def test_the_command(run, tmp_path):
    shown = CliRunner().invoke(app, ["export", str(run.path), "--to", str(tmp_path / "a.csv")])
    assert (shown.exit_code, shown.output.strip()) == (0, str(tmp_path / "a.csv"))
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 6


def test_half_a_surrogate_pair_stops_no_table(tmp_path):
    pytest.importorskip("pyarrow")
    with RunWriter.create(tmp_path / "run", Manifest("half")) as writer:
        writer.readings(Step(1, 10), [Reading("half\udcff.accuracy", 0.5)])
    for name in ("a.csv", "a.parquet"):
        exporting.export(Run.open(tmp_path / "run"), tmp_path / name)
        assert b"half\\udcff.accuracy" in (tmp_path / name).read_bytes()


def test_no_name_of_a_metric_hides_another_column(tmp_path):
    pytest.importorskip("xarray")
    named = {"tokens": 1.0, "step": 2.0, "a/b": 3.0, "a|b": 4.0, "loss.se": 5.0}
    with RunWriter.create(tmp_path / "run", Manifest("names")) as writer:
        readings = [Reading(name, value) for name, value in named.items()]
        writer.readings(Step(7, 70), [*readings, Reading("loss", 6.0, 0.5)])
    found = exporting.to_xarray(Run.open(tmp_path / "run"))
    assert (found.step.item(), found.tokens.item()) == (7, 70)
    assert sorted(found[name].item() for name in found.data_vars) == [0.5, 1, 2, 3, 4, 5, 6]
