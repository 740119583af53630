"""Malformed inputs through the command line: each ends as one line of 200 characters, or is read.

Every case follows from its seed. The number of cases is printed with ``pytest -s``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.faults import damage, materials
from tests.faults.one_process import LONGEST, Outcome, nucleate

pytest.importorskip("pyarrow")

SECONDS, MEGABYTES = 5.0, 512.0

Case = tuple[str, Outcome]


def judged(cases: Iterator[Case], least: int, refused: int) -> None:
    """Assert that no case ends otherwise than it should.

    Args:
        cases: What each is, and what became of it.
        least: How many there must be, so that no loop is empty.
        refused: How many of them must have been refused, so that the damage is real.
    """
    codes: Counter[int] = Counter()
    slowest = largest = 0.0
    wrong = []
    for name, outcome in cases:
        codes[outcome.code] += 1
        slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.extra)
        if outcome.wrong:
            wrong.append(f"{name}: {outcome.wrong}")
        if outcome.seconds > SECONDS or outcome.extra > MEGABYTES:
            wrong.append(f"{name}: {outcome.seconds:.1f} s, {outcome.extra:.0f} MB")
    told = f"{codes[2]} refused, {codes[0]} read; {slowest:.1f} s, {largest:.0f} MB at most"
    print(f"\n{sum(codes.values())} malformed inputs: {told}")
    assert not wrong, "\n".join(wrong)
    assert sum(codes.values()) >= least
    assert codes[2] >= refused


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load what commands load, so that no case is charged with it."""
    import torch  # noqa: F401
    import transformers  # noqa: F401

    path = tmp_path_factory.mktemp("warm") / "t.csv"
    path.write_bytes(materials.tables(path.parent)["t.csv"])
    assert nucleate("detect", path, "--json").code == 0


def test_tables(tmp_path: Path) -> None:
    def cases() -> Iterator[Case]:
        for name, content in materials.tables(tmp_path).items():
            sound = tmp_path / name
            sound.write_bytes(content)
            outcome = nucleate("detect", sound, "--json")
            assert outcome.code == 0, (name, outcome.err)
            for seed in range(10):
                path = tmp_path / f"{seed}-{name}"
                path.write_bytes(content)
                how = damage.spoil(path, 100 * len(name) + seed)
                yield f"{name} {seed} {how}", nucleate("detect", path, "--json")

    judged(cases(), 130, 60)


@pytest.mark.parametrize(
    ("document", "command"),
    [(materials.RECIPE, ["train"]), (materials.STUDY, ["study", "--stage", "none"])],
    ids=["recipes", "studies"],
)
def test_settings(tmp_path: Path, document: dict[str, Any], command: list[str]) -> None:
    def cases() -> Iterator[Case]:
        path = tmp_path / "settings.yaml"
        for seed in range(50):
            tree = damage.spoiled_tree(document, seed)
            text = yaml.safe_dump(tree, allow_unicode=True)
            path.write_text(text, encoding="utf-8", errors="surrogatepass")
            yield f"{seed} tree", nucleate(command[0], path, *command[1:], "--out", tmp_path / "o")
        for seed in range(15):
            spoiled = tmp_path / f"{seed}.yaml"
            spoiled.write_text(yaml.safe_dump(document))
            how = damage.spoil(spoiled, seed)
            arguments = [spoiled, *command[1:], "--out", tmp_path / "o"]
            yield f"{seed} {how}", nucleate(command[0], *arguments)

    judged(cases(), 65, 65)


def test_run_folders(tmp_path: Path) -> None:
    sound = materials.run_folder(tmp_path / "sound")
    assert nucleate("report", sound).code == 0
    manifest = json.loads((sound / "run.json").read_text())

    def copy(name: str) -> Path:
        return Path(shutil.copytree(sound, tmp_path / name))

    def without_its_copy(run: Path) -> Path:
        """Take the log's copy of run.json out, which would stand in for a damaged one."""
        log = run / "log/000001.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["kind"] != "manifest"]
        assert len(kept) == len(lines) - 1
        log.write_text("".join(kept))
        return run

    def cases() -> Iterator[Case]:
        for name in ("run.json", "log/000001.jsonl", "analysis.json"):
            for seed in range(8):
                run = copy(f"{name.replace('/', '-')}-{seed}")
                how = damage.spoil(run / name, seed + 15)
                for command in ("show", "report"):
                    yield f"{command} {name} {seed} {how}", nucleate(command, run)
        for seed in range(24):
            run = without_its_copy(copy(f"tree-{seed}"))
            tree = damage.spoiled_tree(manifest, seed)
            (run / "run.json").write_text(json.dumps(tree))
            yield f"manifest {seed}", nucleate("report", run)

    judged(cases(), 72, 8)


def test_series(tmp_path: Path, make_series: Callable[..., Path]) -> None:
    """Checkpoints, their manifests, weights and tokenizers, as `scan` meets them."""
    sound = make_series(tmp_path / "sound")
    steps = sorted(path.name for path in sound.iterdir() if path.is_dir())
    for name in steps[2:]:
        shutil.rmtree(sound / name)
    broken = [
        f"{steps[0]}/{name}" for name in ("config.json", "model.safetensors", "manifest.json")
    ]

    sane = nucleate("scan", sound, "--suite", "story", "--items", 8, "--out", tmp_path / "sane")
    assert sane.code == 0, sane.err

    def cases() -> Iterator[Case]:
        for name in (*broken, "tokenizer.json", "tokenizer_config.json"):
            for seed in range(6):
                folder = Path(shutil.copytree(sound, tmp_path / f"{Path(name).name}-{seed}"))
                how = damage.spoil(folder / name, 7 * seed + len(name))
                arguments = ["--suite", "story", "--items", 8, "--quiet"]
                out = tmp_path / f"out-{Path(name).name}-{seed}"
                yield f"{name} {seed} {how}", nucleate("scan", folder, *arguments, "--out", out)

    judged(cases(), 30, 5)


def test_texts_to_train_on(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"Once upon a time {n}."}) + "\n" for n in range(40))
    odd = {
        "latin.txt": "caf\xe9 ".encode("latin-1") * 99,
        "utf16.txt": ("word " * 99).encode("utf-16"),
        "empty.txt": b"",
        "blank.txt": b" \n\n \n",
        "nul.jsonl": b'{"text": "a"}\n\0\0\0\n',
        "other.jsonl": b'{"body": "a"}\n',
        "half.jsonl": b'{"text": "\\ud800"}\n',
        "deep.jsonl": b"[" * 100_000 + b"\n",
        "number.jsonl": b'{"text": 1}\n',
        "cut.jsonl": rows[:-9].encode(),
        "cut.jsonl.gz": b"\x1f\x8b\x08\0\0\0\0\0",
        "odd.jsonl.gz": b"no gzip at all",
    }

    def cases() -> Iterator[Case]:
        for name, content in odd.items():
            (tmp_path / name).write_bytes(content)
            yield name, nucleate("train", "--text", tmp_path / name, "--out", tmp_path / "o")
        (tmp_path / "loop.txt").symlink_to("loop.txt")
        for path in (tmp_path / "none.txt", tmp_path / "loop.txt"):
            yield path.name, nucleate("train", "--text", path, "--out", tmp_path / "o")

    judged(cases(), 14, 14)


def test_configs_to_price(tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "vocab_size": 100,
    }
    path = tmp_path / "config.json"

    def cases() -> Iterator[Case]:
        for seed in range(20):
            path.write_text(json.dumps(damage.spoiled_tree(config, seed)))
            yield f"config {seed}", nucleate("cost", "--config", path, "--tokens", "1e9")

    judged(cases(), 20, 10)


@pytest.mark.parametrize("change", [{"rows": 10**12}, {"seed": -1}, {"tokens": 10**30}])
def test_numbers_beyond_reason(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({"tokens": 8192, **change}))
    outcome = nucleate("train", path, "--out", tmp_path / "o")
    assert outcome.code == 2
    assert not outcome.wrong


@pytest.mark.parametrize("key", ["layers", "width", "mlp_width", "experts"])
def test_models_beyond_memory(tmp_path: Path, key: str) -> None:
    model = {"family": "mixtral", "layers": 1, "width": 16, "heads": 2, "experts": 4, key: 10**9}
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({"tokens": 8192, "model": model}))
    outcome = nucleate("train", path, "--out", tmp_path / "o")
    assert outcome.code == 2
    assert not outcome.wrong
    assert outcome.extra < MEGABYTES
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("name", ["t.parquet", "t.npz", "r.yaml"])
def test_in_a_process_of_its_own(tmp_path: Path, name: str) -> None:
    """Nothing about the shared process decides: exit code and line are those of a real call."""
    content = {**materials.tables(tmp_path), "r.yaml": b"tokens: [1\n"}[name]
    path = tmp_path / name
    path.write_bytes(content[: len(content) // 2] + b"\xff" * 9)
    command = "train" if name == "r.yaml" else "detect"
    done = subprocess.run(
        [sys.executable, "-m", "nucleate.cli", command, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) <= LONGEST + 1
