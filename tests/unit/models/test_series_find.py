"""Finding series: every usual layout, in order of training, and what is no series is refused."""

import json
import shutil
from types import SimpleNamespace

import pytest

from nucleate.core import CheckpointError
from nucleate.models.series import find_series
from nucleate.models.series.position import position_of_name

STEPS = [1, 2, 4, 6, 9, 12, 16, 20]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-500", 500),
        ("step1000", 1000),
        ("step_1000", 1000),
        ("global_step143000", 143_000),
        ("iter-0010000", 10_000),
        ("ckpt_5k", 5000),
        ("2500", 2500),
        ("step3000/hf", 3000),
        ("stage2-step1000", 1000),
        ("babyllama_tok105_step5000", 5000),
        ("main", None),
        ("footstep9x", None),
    ],
)
def test_steps_are_read_from_names(name, step):
    assert position_of_name(name).step == step


@pytest.mark.parametrize("name", ["step{}", "checkpoint-{}", "global_step{}/hf", "a/b/step{}"])
def test_local_layouts(tmp_path, make_series, name):
    found = find_series(str(make_series(tmp_path / "s", manifest=False, name=name)))
    assert [member.step.step for member in found.members] == STEPS
    assert found.axis == "step"
    assert "tokens per step are not known" in found.notes[0]


def test_manifests_tell_tokens(tmp_path, make_series):
    found = find_series(str(make_series(tmp_path / "s")))
    assert found.axis == "tokens"
    assert [member.step.tokens for member in found.members] == [1000 * step for step in STEPS]


def test_tokens_per_step_of_the_user_come_first(tmp_path, make_series):
    found = find_series(str(make_series(tmp_path / "s")), tokens_per_step=2.5)
    assert [member.step.tokens for member in found.members] == [round(2.5 * s) for s in STEPS]


def test_patterns_choose(tmp_path, make_series):
    folder = str(make_series(tmp_path / "s"))
    found = find_series(folder, revisions="step1*")
    assert [member.name for member in found.members] == ["step1", "step12", "step16"]
    with pytest.raises(CheckpointError, match="no checkpoint has such a name"):
        find_series(folder, revisions="epoch*")


def test_trainer_state_tells_tokens(tmp_path, make_series):
    folder = make_series(tmp_path / "s", manifest=False, name="checkpoint-{}")
    for step in (12, 20):  # older checkpoints may have been written before anybody counted
        state = {"global_step": step, "num_input_tokens_seen": 4096 * step}
        (folder / f"checkpoint-{step}" / "trainer_state.json").write_text(json.dumps(state))
    found = find_series(str(folder))
    assert found.axis == "tokens"
    assert [member.step.tokens for member in found.members] == [4096 * step for step in STEPS]


def test_a_final_model_beside_the_series_is_its_last_checkpoint_again(tmp_path, make_series):
    folder = make_series(tmp_path / "s", manifest=False)
    for file in (folder / "step20").iterdir():
        shutil.copy(file, folder)
    assert len(find_series(str(folder)).members) == len(STEPS)


def test_one_checkpoint_is_a_series_of_one(tmp_path, make_series):
    folder = make_series(tmp_path / "s") / "step9"
    found = find_series(str(folder))
    assert [(m.name, m.step.step, m.step.tokens) for m in found.members] == [("step9", 9, 9000)]


def test_two_series_in_one_folder_are_refused(tmp_path, make_series):
    make_series(tmp_path / "s" / "seed0")
    make_series(tmp_path / "s" / "seed1")
    with pytest.raises(CheckpointError, match="two checkpoints stand at step 1"):
        find_series(str(tmp_path / "s"))


def test_folders_without_steps_are_refused(tmp_path, make_series):
    folder = make_series(tmp_path / "s", manifest=False)
    for step in STEPS:
        (folder / f"step{step}").rename(folder / f"model{step}x")
    with pytest.raises(CheckpointError, match="several models, not one series"):
        find_series(str(folder))


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match="no such file or folder"):
        find_series(str(tmp_path / "nowhere"))
    with pytest.raises(CheckpointError, match="folder holds no checkpoint"):
        find_series(str(tmp_path))
    (tmp_path / "series.npz").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="archive of arrays"):
        find_series(str(tmp_path))


def refs(*branches, tags=()):
    return SimpleNamespace(
        branches=[SimpleNamespace(name=name) for name in branches],
        tags=[SimpleNamespace(name=name) for name in tags],
    )


@pytest.fixture
def hub(monkeypatch):
    """A hub that knows one model; its answer can be changed."""
    import huggingface_hub

    answer = {"refs": refs("main", "step0", "step1000", "step512", tags=("v1.0",))}

    def list_repo_refs(self, repo, **_):
        if isinstance(answer["refs"], Exception):
            raise answer["refs"]
        return answer["refs"]

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_refs", list_repo_refs)
    return answer


def test_revisions_of_the_hub_are_sorted_by_step_and_placed_in_tokens(hub):
    found = find_series("EleutherAI/pythia-14m", revisions="step*")
    assert [member.revision for member in found.members] == ["step0", "step512", "step1000"]
    assert [member.step.tokens for member in found.members] == [0, 512 * 2**21, 1000 * 2**21]
    assert all(member.remote for member in found.members)
    assert "as published" in found.notes[0]


def test_names_that_round_tokens_are_read_at_their_largest(hub):
    hub["refs"] = refs("main", "step1000-tokens4B", "step100000-tokens419B")
    found = find_series("org/model")
    assert [member.step.tokens for member in found.members] == [4_190_000_000, 419_000_000_000]


def test_without_steps_the_default_revision_is_taken(hub):
    hub["refs"] = refs("main", "dev")
    assert [m.revision for m in find_series("org/model").members] == ["main"]
    with pytest.raises(CheckpointError, match=r"no revision is called step\*.*main, dev"):
        find_series("org/model", revisions="step*")


def test_an_unreachable_hub_is_one_line(hub, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub["refs"] = ConnectionError("[Errno -2] Name or service not known\nmore")
    with pytest.raises(CheckpointError) as caught:
        find_series("org/model")
    assert "\n" not in str(caught.value)
    assert "cannot be fetched from the hub" in str(caught.value)


def test_without_network_the_cache_knows_the_revisions(hub, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub["refs"] = ConnectionError("offline")
    for name in ("main", "step8", "step64"):
        ref = tmp_path / "models--org--model" / "refs" / name
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text("0" * 40)
    assert [m.name for m in find_series("org/model").members] == ["step8", "step64"]
