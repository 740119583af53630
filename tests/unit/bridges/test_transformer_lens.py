"""Where TransformerLens is missing, one line says so."""

import sys

import pytest

from nucleate.bridges.transformer_lens import to_transformer_lens
from nucleate.core import UserError


def test_without_the_package_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformer_lens", None)
    monkeypatch.delitem(sys.modules, "transformer_lens.model_bridge.sources", raising=False)
    with pytest.raises(UserError, match=r"pip install 'nucleate\[transformer-lens\]'") as caught:
        to_transformer_lens(None)
    assert "\n" not in str(caught.value)
