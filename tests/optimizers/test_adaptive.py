"""RMSprop where the spread of the gradient is nothing but rounding."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.optimizers.adaptive import RmsProp
from tests.optimizers.flats import flat_of


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_centered_rmsprop_of_a_gradient_that_never_varies_is_finite(
    dtype: str, momentum: float
) -> None:
    # v − m² is 0 but for rounding, which takes it below 0 for some of these.
    flat = flat_of(np.zeros(200, dtype))
    flat.grads[:] = np.linspace(0.1, 3.0, 200)
    optimizer = RmsProp(momentum=momentum, alpha=0.5, centered=True).over(flat)
    for _ in range(60):
        optimizer.step()
        assert np.isfinite(flat.values).all()
    assert (flat.values < 0).all()
