"""Twin: in float64, a network computes what it computes in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.autograd.tape import no_grad
from nncli.checking.twin import float64_batch, float64_twin
from nncli.config.load import load_values
from nncli.experiment.build import build
from nncli.network.trial import trial

CONFIG: dict[str, Any] = {
    "dataset": {"type": "spiral", "samples": 10},
    "loss": "softmax_cross_entropy",
    "optimizer": "adam",
    "training": {"epochs": 1},
}


@pytest.mark.parametrize(
    ("layer", "std"),
    [
        ({"type": "dropout", "rate": 0.5}, 0.1),
        ({"type": "alpha_dropout", "rate": 0.3}, 0.1),
        ({"type": "gaussian_noise", "std": 2.0}, 0.1),
        # Of rows near 0, where eps is all there is under the root.
        ("rms_norm", 1e-6),
    ],
    ids=str,
)
def test_twin_computes_what_training_does(layer: Any, std: float) -> None:
    first = {"type": "dense", "units": 64, "init": {"type": "normal", "std": std}}
    layers = [first, layer, {"type": "dense", "units": 3}]
    experiment = build(load_values(CONFIG | {"layers": layers}, source="test"))
    twin = float64_twin(experiment)
    batch = experiment.parts["train"].batch(np.arange(10))
    with trial(experiment.network, training=True), no_grad():
        ours = experiment.network(batch.x).data
    with trial(twin.network, training=True), no_grad():
        theirs = twin.network(float64_batch(batch).x).data
    assert theirs.dtype == np.float64
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
