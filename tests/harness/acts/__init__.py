"""Everything that may happen in a random history. Each act draws its choices from the dice it is given."""

from __future__ import annotations

from tests.harness.acts import lms, operators, owners, program, vendors
from tests.harness.acts.register import ACTS as ACTS
from tests.harness.acts.register import WEIGHTS as _WEIGHTS

WEIGHTS = {
    name: _WEIGHTS[name]
    for room in (program, owners, lms, vendors, operators)
    for name in vars(room)
    if name in _WEIGHTS
}
"""How often each happens. The order is part of what a seed means."""
