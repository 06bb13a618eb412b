"""``trainable: false`` freezes a layer and what is inside it, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.checking.everything import lone_network
from nncli.checking.variations import variations
from nncli.core.errors import NncliError
from nncli.core.registry import spec_of
from nncli.layers.base import Layer
from tests.command import Command
from tests.conftest import SMALL

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def trained(*layers: Any, **compiled: Any) -> tuple[nn.Model, dict[str, Any]]:
    """Fit a model; return it and its first parameters."""
    model = nn.Model(layers).compile(**compiled).build((3,))
    network = model.network
    tensors = network.flat.tensors | network.frozen
    before = {name: tensor.data.copy() for name, tensor in tensors.items()}
    model.fit(X, Y, epochs=2)
    return model, before


def unmoved(model: nn.Model, before: dict[str, Any]) -> set[str]:
    tensors = model.network.flat.tensors | model.network.frozen
    return {n for n, t in tensors.items() if np.array_equal(t.data, before[n])}


@pytest.mark.parametrize("optimizer", ["sgd", nn.AdamW(lr=0.1, weight_decay=0.5)])
def test_frozen_layer_stays_and_the_others_move(optimizer: Any) -> None:
    model, before = trained(
        nn.Dense(4), nn.Dense(4, l2=0.1, trainable=False), "tanh", nn.Dense(2),
        optimizer=optimizer,
    )  # fmt: skip
    assert unmoved(model, before) == {"layers.1.weight", "layers.1.bias"}
    assert all(tensor.grad is None for tensor in model.network.frozen.values())
    assert model.network.penalties == []


def test_first_values_do_not_depend_on_what_is_frozen() -> None:
    _, free = trained(nn.Dense(4), nn.Dense(2))
    _, frozen = trained(nn.Dense(4, trainable=False), nn.Dense(2))
    for name, values in free.items():
        np.testing.assert_array_equal(frozen[name], values)


def test_containers_hand_it_down() -> None:
    block = nn.Sequential([nn.Residual([nn.Dense(3)]), nn.Relu()], trainable=False)
    model, before = trained(block, nn.Dense(2))
    assert {name.split(".")[1] for name in unmoved(model, before)} == {"0"}
    assert all(layer.frozen for layer in model.network.layers[0].children.values())
    # One layer inside may be frozen alone.
    model, before = trained(nn.Sequential([nn.Dense(3, trainable=False), nn.Dense(2)]))
    assert {n.rpartition(".")[0] for n in unmoved(model, before)} == {
        "layers.0.layers.0"
    }


def test_frozen_batch_norm_goes_on_with_its_statistics() -> None:
    model, before = trained(nn.BatchNorm(trainable=False), nn.Dense(2))
    assert {n.rpartition(".")[0] for n in unmoved(model, before)} == {"layers.0"}
    assert model.network.state["layers.0.running_mean"].any()


@pytest.mark.parametrize("name", list(Layer.members()))
def test_frozen_layer_gives_the_same_and_hands_gradients_on(name: str) -> None:
    cls = Layer.members()[name]
    for arguments in variations(cls):
        found = []
        for trainable in (True, False):
            for example in cls.examples:
                try:
                    network = lone_network(
                        cls, {**arguments, "trainable": trainable}, example
                    )
                except NncliError:
                    continue
                spec = next(iter(network.inputs.values()))
                if spec.below is not None:
                    break
                network.set_training(True)
                values = np.random.default_rng(1).normal(size=(3, *spec.shape))
                x = nn.Tensor(values, requires_grad=True)
                y = network(x)
                (y * y).sum().backward()
                assert x.grad is not None
                found.append((y.data.copy(), x.grad.copy()))
                assert trainable or not network.flat.values.size
                break
        for free, frozen in zip(*found, strict=True) if found else ():
            np.testing.assert_allclose(frozen, free, rtol=1e-12, atol=1e-12)


def test_trainable_is_only_written_where_it_says_something() -> None:
    assert spec_of(nn.Relu()) == "relu"
    assert spec_of(nn.Relu(trainable=False)) == {"type": "relu", "trainable": False}
    assert "trainable" not in spec_of(nn.Dense(2))


def test_frozen_parameters_are_saved_and_loaded(tmp_path: Path) -> None:
    model, _ = trained(nn.Dense(4, trainable=False), "relu", nn.Dense(2))
    model.save(tmp_path / "m.safetensors")
    again = nn.Model.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_run_with_a_frozen_layer_is_shown_trained_and_scored(
    command: Command, tmp_path: Path
) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    freeze = "layers[0].trainable=false"
    facts = command("summary", config, freeze, "--json").json()
    assert [layer["frozen"] for layer in facts["layers"]] == [True, False, False]
    assert (facts["parameters"], facts["trained"]) == (32, 14)
    shown = command("summary", config, freeze).out
    assert "layers[0] dense (frozen)" in shown
    assert "32, 18 of them frozen" in shown
    assert command("gradcheck", config, freeze).code == 0
    average = "training.average={decay: 0.9}"
    command.train(config, freeze, average)
    assert command("eval", command.runs / "small-1").code == 0
    more = "training.epochs=8"
    assert command("train", "--resume", command.runs / "small-1", more).code == 0


def test_network_that_is_frozen_as_a_whole_stays_as_it_is() -> None:
    model, before = trained(nn.Dense(2, trainable=False))
    assert unmoved(model, before) == set(before)
    assert model.parameters == []
    assert np.isfinite(model.evaluate(X, Y)["loss"] or np.nan)


def test_unknown_attribute_of_a_live_layer_is_refused() -> None:
    layer = nn.Model([nn.Dense(2)]).compile().build((3,)).network.layers[0]
    with pytest.raises(NncliError, match=r"layers\[0\] dense: .* 'trainabel'.*'traina"):
        layer.trainabel = False
    with pytest.raises(NncliError, match="trainable is fixed"):
        layer.trainable = False  # type: ignore[misc]
    layer.label = "renamed"
