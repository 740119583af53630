"""Settings of a model to build: a family and a size, each number of which can be overridden."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from nucleate.core.settings import Settings

Family = Literal["llama", "neox", "mixtral"]
Size = Literal["tiny", "small", "base"]

_SIZES: dict[Size, dict[str, int]] = {
    "tiny": {"layers": 3, "width": 64, "heads": 4, "context": 256},
    "small": {"layers": 4, "width": 128, "heads": 4, "context": 512},
    "base": {"layers": 8, "width": 256, "heads": 8, "context": 1024},
}


MAX_LAYERS, MAX_EXPERTS = 1024, 1024
"""More is a slip of the pen, and would fill the memory with modules before anything is checked."""


class ModelSettings(Settings):
    """Which model to build; the vocabulary comes from the tokenizer, at build time.

    Whatever is left out follows from `size` and `family` (see `resolved`).

    Attributes:
        family: ``llama`` (RMSNorm, SwiGLU, rotary), ``neox`` (LayerNorm, GELU, parallel
            residual, rotary on a quarter of each head, as Pythia) or ``mixtral`` (llama with
            experts).
        size: ``tiny`` (3 layers × 64 wide), ``small`` (4 × 128) or ``base`` (8 × 256).
        layers: Decoder layers.
        width: Width of the residual stream.
        heads: Attention heads per layer.
        kv_heads: Key/value heads; fewer than `heads` for grouped queries (not in ``neox``).
        mlp_width: Hidden width of each MLP, or of each expert.
        experts: Experts per layer (``mixtral`` only).
        experts_per_token: Experts that each token passes through (``mixtral`` only).
        context: Longest sequence, in tokens.
        tie_embeddings: Whether the head shares the weights of the embedding.
        init_std: Standard deviation of the initial weights.
        rope_theta: Base of the rotary position encoding.
    """

    family: Family = "llama"
    size: Size = "small"
    layers: PositiveInt | None = Field(default=None, le=MAX_LAYERS)
    width: PositiveInt | None = None
    heads: PositiveInt | None = None
    kv_heads: PositiveInt | None = None
    mlp_width: PositiveInt | None = None
    experts: PositiveInt | None = Field(default=None, le=MAX_EXPERTS)
    experts_per_token: PositiveInt | None = None
    context: PositiveInt | None = None
    tie_embeddings: bool = False
    init_std: float = Field(default=0.02, gt=0, le=1)
    rope_theta: PositiveFloat = 10_000.0

    def resolved(self) -> ModelSettings:
        """Return the same settings with every number filled in.

        The MLP is 4 × width in ``neox``; 8/3 × width in ``llama``, which has three matrices; and
        in ``mixtral`` such that the experts a token passes through add up to llama's. Widths that
        are filled in are multiples of 8.
        """
        return self.model_copy(update=_filled(self))

    @model_validator(mode="after")
    def _fits_together(self) -> ModelSettings:
        for problem in _problems(self.family, _filled(self)):
            raise ValueError(problem)
        return self


def _filled(settings: ModelSettings) -> dict[str, Any]:
    given = settings.model_dump(exclude_none=True)
    if settings.family == "mixtral":
        given = {"experts": 4, "experts_per_token": 2} | given
    filled: dict[str, Any] = {**_SIZES[settings.size], **given}
    filled.setdefault("kv_heads", filled["heads"])
    filled.setdefault("mlp_width", _mlp_width(settings.family, filled))
    return filled


def _mlp_width(family: Family, filled: dict[str, Any]) -> int:
    if family == "neox":
        return int(4 * filled["width"])
    shared_by = filled["experts_per_token"] if family == "mixtral" else 1
    exact = 8 / 3 * filled["width"] / shared_by
    return 8 * -int(-exact // 8)


def _problems(family: Family, filled: dict[str, Any]) -> list[str]:
    width, heads, kv_heads = filled["width"], filled["heads"], filled["kv_heads"]
    rotary = 8 if family == "neox" else 2  # a quarter of the head must be even
    checks = {
        f"width {width} must be a multiple of {rotary} × heads ({heads})": width % (rotary * heads),
        f"heads {heads} must be a multiple of kv_heads ({kv_heads})": heads % kv_heads,
        "neox has no grouped queries: kv_heads must equal heads": (
            family == "neox" and kv_heads != heads
        ),
        f"{family} has no experts": family != "mixtral"
        and not filled.keys().isdisjoint({"experts", "experts_per_token"}),
        "experts_per_token must not exceed experts": (
            filled.get("experts_per_token", 0) > filled.get("experts", 0)
        ),
    }
    return [problem for problem, wrong in checks.items() if wrong]
