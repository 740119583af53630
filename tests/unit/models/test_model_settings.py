"""Model settings: sizes fill in, explicit numbers win, impossible wishes are refused."""

import subprocess
import sys

import pytest

from nucleate.core import RecipeError
from nucleate.core.settings import validate
from nucleate.models import ModelSettings


def test_sizes_fill_in_what_is_left_out():
    tiny = ModelSettings(size="tiny").resolved()
    assert (tiny.layers, tiny.width, tiny.heads, tiny.kv_heads) == (3, 64, 4, 4)
    assert (tiny.mlp_width, tiny.experts) == (176, None)
    base = ModelSettings(family="neox", size="base").resolved()
    assert (base.layers, base.width, base.heads, base.mlp_width) == (8, 256, 8, 1024)


def test_explicit_numbers_win():
    found = ModelSettings(size="tiny", layers=5, width=96, heads=6, kv_heads=2).resolved()
    assert (found.layers, found.width, found.heads, found.kv_heads) == (5, 96, 6, 2)
    assert found.mlp_width == 256
    assert found.resolved() == found


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_experts_of_a_token_are_as_wide_as_one_llama_mlp(size):
    llama = ModelSettings(size=size).resolved()
    mixtral = ModelSettings(family="mixtral", size=size).resolved()
    assert (mixtral.experts, mixtral.experts_per_token) == (4, 2)
    assert abs(mixtral.mlp_width * 2 - llama.mlp_width) <= 8


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"width": 62}, "multiple of 2 × heads"),
        ({"family": "neox", "width": 80}, "multiple of 8 × heads"),
        ({"heads": 4, "kv_heads": 3}, "multiple of kv_heads"),
        ({"family": "neox", "kv_heads": 2}, "no grouped queries"),
        ({"experts": 4}, "llama has no experts"),
        ({"family": "neox", "experts_per_token": 1}, "neox has no experts"),
        ({"family": "mixtral", "experts_per_token": 9}, "must not exceed"),
        ({"layers": 0}, "layers"),
        ({"size": "huge"}, "size"),
        ({"depth": 3}, "unknown key 'depth'"),
    ],
)
def test_impossible_wishes_are_one_line(wish, message):
    with pytest.raises(RecipeError, match=message) as caught:
        validate(ModelSettings, wish)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200


def test_settings_survive_json():
    settings = ModelSettings(family="mixtral", experts=8).resolved()
    assert ModelSettings.model_validate_json(settings.model_dump_json()) == settings


def test_importing_models_loads_no_torch():
    code = (
        "import sys, nucleate.models; nucleate.models.ModelSettings(); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_name_of_the_room_resolves():
    import nucleate.models as room

    for name in room.__all__:
        assert getattr(room, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = room.absent
