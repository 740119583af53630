"""Geometry probes: what shape the representations of a model have, layer by layer."""

from nucleate.probes.geometry.cka import (
    batched_cka,
    biased_cka,
    cka,
    cka_matrix,
    samples_per_dimension,
)
from nucleate.probes.geometry.coordination import (
    LayerSimilarity,
    OnsetDispersion,
    layer_lags,
    layer_similarity,
    onset_dispersion,
)
from nucleate.probes.geometry.dimension import IntrinsicDimension, two_nn
from nucleate.probes.geometry.lens import Lens, lens_of_streams, logit_lens
from nucleate.probes.geometry.moe import Routing, routed_layers, router_logits, routing
from nucleate.probes.geometry.probing import Probing, control_labels, selectivity
from nucleate.probes.geometry.rank import PowerLaw, alpha_req, effective_rank, rankme
from nucleate.probes.geometry.rotation import (
    Turned,
    class_directions,
    direction_similarity,
    subspace_similarity,
)
from nucleate.probes.geometry.spectra import Spectra, spectra
from nucleate.probes.geometry.streams import residual_streams

__all__ = [
    "IntrinsicDimension",
    "LayerSimilarity",
    "Lens",
    "OnsetDispersion",
    "PowerLaw",
    "Probing",
    "Routing",
    "Spectra",
    "Turned",
    "alpha_req",
    "batched_cka",
    "biased_cka",
    "cka",
    "cka_matrix",
    "class_directions",
    "control_labels",
    "direction_similarity",
    "effective_rank",
    "layer_lags",
    "layer_similarity",
    "lens_of_streams",
    "logit_lens",
    "onset_dispersion",
    "rankme",
    "residual_streams",
    "routed_layers",
    "router_logits",
    "routing",
    "samples_per_dimension",
    "selectivity",
    "spectra",
    "subspace_similarity",
    "two_nn",
]
