"""Physics of transitions, with conditions: each test refuses in a sentence when they are not met.

The control parameter is the logarithm of training, a dynamical variable: sharp dynamics are not
thermodynamics. Only `criticality` may use the word "critical".
"""

from nucleate.detect.physics.binder import Binder, binder, cumulant
from nucleate.detect.physics.collapse import Collapse, SizeCurve, collapse
from nucleate.detect.physics.criticality import Criticality, criticality
from nucleate.detect.physics.dip import dip, dip_p
from nucleate.detect.physics.hysteresis import Hysteresis, hysteresis, loop_area
from nucleate.detect.physics.order import (
    Ensemble,
    binomial_variance,
    ensemble,
    order_parameter,
)
from nucleate.detect.physics.scaling import WidthScaling, width_scaling
from nucleate.detect.physics.susceptibility import Susceptibility, chi, susceptibility
from nucleate.detect.physics.width import rise_width

__all__ = [
    "Binder",
    "Collapse",
    "Criticality",
    "Ensemble",
    "Hysteresis",
    "SizeCurve",
    "Susceptibility",
    "WidthScaling",
    "binder",
    "binomial_variance",
    "chi",
    "collapse",
    "criticality",
    "cumulant",
    "dip",
    "dip_p",
    "ensemble",
    "hysteresis",
    "loop_area",
    "order_parameter",
    "rise_width",
    "susceptibility",
    "width_scaling",
]
