"""Descriptions are shared freely: what a user holds is bound to nothing."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.arrays import Array
from nncli.core.errors import ArgumentError, NncliError
from nncli.core.registry import Component
from nncli.layers.base import Layer

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def model(*layers: Any, seed: int = 0, **compiled: Any) -> nn.Model:
    return nn.Model(layers, seed=seed).compile(**compiled)


def test_one_layer_in_two_models_is_two_layers() -> None:
    dense = nn.Dense(2)
    first = model(dense, "softmax", seed=1, loss="categorical_cross_entropy")
    first.fit(X, Y)
    before = first.predict_proba(X)
    second = model(dense, "relu", nn.Dense(2), seed=2)
    second.fit(X, Y, epochs=5)
    np.testing.assert_array_equal(first.predict_proba(X), before)
    assert vars(dense) == dense.arguments


def test_one_layer_twice_in_a_model_is_two_layers() -> None:
    dense = nn.Dense(3)
    twice = model(dense, "relu", dense).build((3,))
    apart = model(nn.Dense(3), "relu", nn.Dense(3)).build((3,))
    assert len(twice.parameters) == 4
    assert twice.flat.values.size == 24
    np.testing.assert_array_equal(twice.flat.values, apart.flat.values)
    first, second = twice.network.layers[0], twice.network.layers[2]
    assert first is not second
    assert not np.array_equal(twice.parameters[0].data, twice.parameters[2].data)


def test_one_container_twice_is_two_containers() -> None:
    block = nn.Residual([nn.Dense(3), nn.BatchNorm()])
    net = model(block, block).build((3,))
    assert net.flat.values.size == 2 * (12 + 6)
    net.train()
    net(X)
    # The one's statistics are not the other's.
    means = [a for name, a in net.network.state.items() if "mean" in name]
    assert len(means) == 2
    first, second = means
    assert not np.array_equal(first, second)


def test_one_optimizer_in_two_models_trains_both() -> None:
    adam = nn.Adam(0.1)
    shared = [model(nn.Dense(2), seed=s, optimizer=adam) for s in (1, 2)]
    alone = [model(nn.Dense(2), seed=s, optimizer=nn.Adam(0.1)) for s in (1, 2)]
    for _ in range(2):
        for net in (*shared, *alone):
            net.fit(X, Y)
    for one, other in zip(shared, alone, strict=True):
        np.testing.assert_array_equal(one.flat.values, other.flat.values)
    assert vars(adam) == adam.arguments


def test_one_schedule_in_two_models_decays_for_each_alone() -> None:
    plateau = nn.schedules.Plateau(patience=1, factor=0.1, threshold=1e9)
    rates = []
    for seed in (1, 2):
        net = model(nn.Dense(2), seed=seed, schedule=plateau)
        history = net.fit(X, Y, epochs=6)
        rates.append([row["lr"] for row in history.rows])
    assert rates[0] == rates[1]
    assert rates[0][0] == 0.001
    assert rates[0][-1] < 0.001


def test_one_metric_and_one_transform_serve_two_models() -> None:
    accuracy, standardize = nn.metrics.Accuracy(), {"type": "standardize"}
    nets = []
    for shift in (0, 100):
        net = nn.Model([nn.Dense(2)], transforms=[standardize])
        net.compile(metrics=[accuracy])
        net.fit(X + shift, Y)
        nets.append(net)
    scores = [
        net.evaluate(X + shift, Y) for net, shift in zip(nets, (0, 100), strict=True)
    ]
    assert scores[0]["accuracy"] == pytest.approx(scores[1]["accuracy"], abs=0.06)
    assert vars(accuracy) == {}


def test_a_model_made_again_from_the_same_parts_is_the_same_model() -> None:
    parts: list[Any] = [nn.Dense(4), "tanh", nn.Dropout(0.2), nn.Dense(2)]
    found = []
    for _ in range(2):
        net = model(*parts)
        net.fit(X, Y, epochs=2)
        found.append(net.flat.values.copy())
    np.testing.assert_array_equal(found[0], found[1])


def test_building_twice_is_refused() -> None:
    net = model(nn.Dense(2)).build((3,))
    with pytest.raises(NncliError, match="build: expected a model that is not built"):
        net.build((3,))


def test_folds_share_one_description() -> None:
    parts = [nn.Dense(4), nn.Relu(), nn.Dense(2)]
    adam = nn.Adam(0.05)

    def fold(i: int) -> Array:
        rows = np.arange(len(X)) % 4 != i
        net = model(*parts, optimizer=adam)
        net.fit(X[rows], Y[rows], epochs=3)
        return net.predict_proba(X)

    alone = [fold(i) for i in range(4)]
    found: dict[int, Array] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: fold(i)}))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        np.testing.assert_array_equal(found[i], alone[i])


@pytest.mark.parametrize(
    "made",
    [
        nn.Dense(4, l2=0.1),
        nn.Residual([nn.Dense(3), nn.Relu()]),
        nn.Adam(0.01, amsgrad=True),
        nn.schedules.Cosine(),
        nn.losses.Cosine(),
    ],
)
def test_a_description_shows_the_call_that_makes_it(made: Component) -> None:
    layers = {cls.__name__: cls for cls in Layer.members().values()}
    again = eval(repr(made), {**layers, type(made).__name__: type(made)})
    assert again == made
    assert hash(again) == hash(made)
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_description_is_fixed() -> None:
    dense = nn.Dense(4)
    with pytest.raises(NncliError, match=r"dense: units is fixed.*Dense\(units="):
        dense.units = 5  # type: ignore[misc]
    with pytest.raises(NncliError, match=r"unknown argument 'unit'.*units"):
        dense.unit = 5
    assert dense.changed(units=5) == nn.Dense(5)
    with pytest.raises(ArgumentError, match="units: expected an integer >= 1"):
        dense.changed(units=0)


def test_the_plugins_of_a_config_run_once(tmp_path: Path) -> None:
    (tmp_path / "plug.py").write_text(
        "from pathlib import Path\n"
        "log = Path(__file__).with_suffix('.log')\n"
        "log.write_text((log.read_text() if log.exists() else '') + 'x')\n"
    )
    config = tmp_path / "job.yaml"
    config.write_text(
        "dataset: {type: spiral, samples: 10, classes: 2}\n"
        "layers: [{type: dense, units: 2}]\n"
        "loss: softmax_cross_entropy\n"
        "optimizer: sgd\n"
        "training: {epochs: 1}\n"
        "plugins: [plug.py]\n"
    )
    net = nn.Model.from_config(config, allow_plugins=True)
    net.fit()
    net.predict(np.zeros((1, 2)))
    assert (tmp_path / "plug.log").read_text() == "x"
