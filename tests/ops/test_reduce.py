"""Reductions: which axes they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.errors import ShapeError


@pytest.mark.parametrize("axis", [2, -3, (0, 5)])
def test_reductions_refuse_axes_that_the_array_has_not(axis: Any) -> None:
    x = Tensor(np.ones((2, 3)))
    for reduction in (x.sum, x.mean):
        with pytest.raises(ShapeError, match="2 axes"):
            reduction(axis)


@pytest.mark.parametrize("axis", [(0, 0), (1, -1)])
def test_reductions_refuse_an_axis_named_twice(axis: Any) -> None:
    x = Tensor(np.ones((2, 3)))
    for reduction in (x.sum, x.mean):
        with pytest.raises(ShapeError, match="different axes"):
            reduction(axis)
