"""Model: the same parts from Python."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.cli.app import run
from nncli.core.arrays import Array
from nncli.core.errors import (
    ArgumentError,
    ConfigError,
    DataError,
    NncliError,
    RunError,
    ShapeError,
)
from nncli.data import batches as batches_module
from nncli.experiment import part as part_module
from nncli.model import Model
from tests.conftest import CONFIGS
from tests.training.jobs import all_of


def quadrants(rows: int = 120) -> tuple[Array, Array]:
    x = np.random.default_rng(0).normal(size=(rows, 2))
    return x, np.where(x[:, 0] * x[:, 1] > 0, "same", "other")


def classifier(**more: Any) -> Model:
    layers: list[Any] = [nn.Dense(8), "tanh", {"type": "dense", "units": 2}]
    model = Model(layers, seed=1, **more)
    return model.compile(nn.Adam(lr=0.02), "softmax_cross_entropy", ["accuracy"])


def test_model_takes_objects_names_and_mappings_alike() -> None:
    model = Model(["relu", nn.Relu(), {"type": "relu"}])
    assert [layer.type_name for layer in model.layers] == ["relu"] * 3


def test_model_names_what_is_wrong_with_a_component() -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'relu'"):
        Model(["reluu"])
    with pytest.raises(ArgumentError, match="units"):
        Model([{"type": "dense", "units": 0}])
    with pytest.raises(ArgumentError, match="a layer"):
        Model([3])  # type: ignore[list-item]


def test_fit_learns_classes_and_gives_them_back() -> None:
    x, y = quadrants()
    model = classifier()
    history = model.fit(x, y, epochs=80, batch_size=16, validation_split=0.2)
    assert history.last["epoch"] == 80
    assert history.last["train"]["accuracy"] > 0.9
    assert (model.predict(x) == y).mean() > 0.9
    proba = model.predict_proba(x)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert list(model.classes) == ["other", "same"]  # type: ignore[arg-type]


def test_fit_is_the_training_of_the_command(tmp_path: Path) -> None:
    config = CONFIGS / "xor.yaml"
    model = Model.from_config(config, ["training.epochs=5"])
    rows = model.fit().rows
    command = ["train", str(config), "training.epochs=5", "--runs-dir", str(tmp_path)]
    assert run([*command, "--json"]) == 0
    loaded = Model.load(tmp_path / "xor-1" / "checkpoints" / "last.safetensors")
    np.testing.assert_array_equal(loaded.flat.values, model.flat.values)
    assert len(rows) == 5


def test_fit_called_again_goes_on() -> None:
    x, y = quadrants()
    model = classifier()
    first = model.fit(x, y, epochs=20).last["train"]["loss"]
    second = model.fit(x, y, epochs=20).last["train"]["loss"]
    assert second < first


def test_fit_weighs_rows() -> None:
    x = np.array([[1.0], [1.0]])
    y = np.array([0.0, 1.0])
    model = Model([nn.Dense(1)], precision="float64")
    model.compile(nn.Sgd(lr=0.1), "mse")
    model.fit(x, y, epochs=500, batch_size="full", sample_weight=[3.0, 1.0])
    np.testing.assert_allclose(model.predict(x), 0.25, atol=1e-6)


def test_fit_keeps_transforms_fitted_on_the_training_rows() -> None:
    x, y = quadrants()
    model = classifier(transforms=["standardize"])
    model.fit(x * 100 + 5, y, epochs=60)
    assert (model.predict(x * 100 + 5) == y).mean() > 0.85


def test_fit_refuses_rows_that_do_not_fit() -> None:
    x, y = quadrants()
    with pytest.raises(ConfigError, match="one output for each of the 3 classes"):
        classifier().fit(x, np.arange(len(x)) % 3)
    with pytest.raises(DataError, match="as many targets y as inputs x"):
        classifier().fit(x, y[:-1])
    with pytest.raises(DataError, match="NaN"):
        classifier().fit(x * np.nan, y)
    with pytest.raises(ArgumentError, match="targets y"):
        classifier().fit(x)
    with pytest.raises(DataError, match="one number a row"):
        classifier().fit(x, y, sample_weight=[1.0])
    model = classifier()
    model.fit(x, y)
    with pytest.raises(DataError, match="one of the classes other, same, got new"):
        model.evaluate(x, np.full(len(x), "new"))


def test_train_on_batch_makes_the_steps_of_fit() -> None:
    x, y = quadrants(32)
    one, two = classifier(), classifier()
    one.fit(x, y, epochs=3, batch_size="full")
    losses = [two.train_on_batch(x, y) for _ in range(3)]
    np.testing.assert_allclose(one.flat.values, two.flat.values, rtol=1e-5)
    assert losses[0] > losses[2]


def test_model_called_gives_what_the_last_layer_gives() -> None:
    x, y = quadrants()
    model = Model([nn.Dense(2), "softmax"]).compile("sgd", "categorical_cross_entropy")
    model.fit(x, y)
    np.testing.assert_allclose(model(x).data, model.predict_proba(x), rtol=1e-5)


def test_model_trains_in_a_loop_of_ones_own() -> None:
    x, y = quadrants(32)
    model = Model([nn.Dense(8), "tanh", nn.Dense(2)], seed=1).build((2,))
    targets = nn.Tensor((y == "same").astype(int))
    optimizer = nn.Adam(lr=0.05).over(model.flat)
    loss_of = nn.losses.SoftmaxCrossEntropy()
    losses = []
    for _ in range(60):
        loss = loss_of(model(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


def test_save_and_load_give_the_same_bits(tmp_path: Path) -> None:
    x, _ = quadrants()
    for y in (np.arange(len(x)) % 2 + 5, np.array(["a", "b"])[np.arange(len(x)) % 2]):
        model = classifier(transforms=["standardize"])
        model.fit(x, y, epochs=2)
        model.save(tmp_path / "m.safetensors")
        again = Model.load(tmp_path / "m.safetensors")
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
        assert again.to_config() == model.to_config()
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(model)).predict(x), model.predict(x)
        )


def test_load_refuses_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(RunError):
        Model.load(tmp_path / "junk")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_from_config_and_to_config_are_inverse(path: Path) -> None:
    config = Model.from_config(path).to_config()
    assert Model.from_config(config).to_config() == config


def test_to_config_of_a_python_model_is_a_config() -> None:
    config = classifier().to_config()
    assert config["dataset"] is None
    assert Model.from_config(config).to_config() == config


def test_model_says_what_has_to_come_first() -> None:
    with pytest.raises(NncliError, match="compile first"):
        Model(["relu"]).to_config()
    with pytest.raises(NncliError, match="fit or build first"):
        Model(["relu"]).predict([[1.0]])
    model = classifier().build((2,))
    with pytest.raises(NncliError, match="not built yet"):
        model.add("relu")


def test_summary_counts_parameters() -> None:
    assert "42" in classifier().build((2,)).summary().splitlines()[-1]


def test_package_names_components_by_their_classes() -> None:
    assert nn.Dense.type_name == "dense"
    assert nn.losses.MeanSquaredError.kind == "loss"
    assert "Model" in dir(nn)
    with pytest.raises(AttributeError, match="Nothing"):
        nn.Nothing  # type: ignore[attr-defined]  # noqa: B018


def test_train_on_batch_weighs_each_batch_as_it_is_told() -> None:
    x, y = quadrants(32)
    plain, weighted = classifier(), classifier()
    first = plain.train_on_batch(x, y)
    doubled = weighted.train_on_batch(x, y, sample_weight=np.full(32, 2.0))
    np.testing.assert_allclose(doubled, 2 * first, rtol=1e-6)
    second = plain.train_on_batch(x, y, sample_weight=np.full(32, 2.0))
    assert second > 1.5 * plain.train_on_batch(x, y)


def test_fit_of_a_config_refuses_what_the_config_says() -> None:
    with pytest.raises(ArgumentError, match="overrides"):
        Model.from_config(CONFIGS / "xor.yaml").fit(epochs=3)
    with pytest.raises(ArgumentError, match="inputs x"):
        Model.from_config(classifier().to_config()).fit()


def test_predict_checks_its_inputs() -> None:
    x, y = quadrants()
    model = classifier()
    model.fit(x, y)
    with pytest.raises(DataError, match="finite inputs"):
        model.predict(x * np.nan)
    assert model.predict(x[:0]).shape == (0,)
    with pytest.raises(DataError, match="at least one row"):
        model.evaluate(x[:0], y[:0])


def test_fit_refuses_targets_that_are_not_clean() -> None:
    x, y = quadrants(4)
    numbers = Model([nn.Dense(1)]).compile("sgd", "mse")
    with pytest.raises(DataError, match="numbers as targets"):
        numbers.fit(x, y)
    with pytest.raises(DataError, match="finite targets"):
        numbers.fit(x, np.array([1.0, np.nan, 1, 1]))
    for bad in (np.array([1.0, np.nan, 1, 1]), np.array([None, "a", None, "b"])):
        with pytest.raises(DataError, match=r"finite targets|one kind"):
            classifier().fit(x, bad)
    for weights in ([-1.0, 1, 1, 1], [0.0] * 4, [np.nan, 1, 1, 1]):
        with pytest.raises(DataError, match="at least 0"):
            classifier().fit(x, y, sample_weight=weights)


def test_labels_of_a_table_column_survive_saving(tmp_path: Path) -> None:
    x, y = quadrants()
    for targets in ((y == "same").astype(object), y.astype(object)):
        model = classifier()
        model.fit(x, targets)
        model.save(tmp_path / "m.safetensors")
        again = Model.load(tmp_path / "m.safetensors")
        assert again.predict(x).dtype == model.predict(x).dtype
        np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_components_take_numbers_of_numpy() -> None:
    units: Any = np.int64(3)
    l2: Any = np.float32(0.5)
    assert nn.Dense(units, l2=l2).arguments["l2"] == 0.5
    wrong: Any = np.float64(3.0)
    with pytest.raises(ArgumentError):
        nn.Dense(wrong)


def test_model_that_was_not_compiled_does_not_fit() -> None:
    with pytest.raises(NncliError, match="compile first"):
        Model([nn.Dense(1)]).fit([[1.0]], [1.0])


class Deaf(nn.Callback):
    """Hears nothing."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"callbacks": Deaf()}, r"a list of callbacks, got one: write \[Deaf\(\)\]"),
        ({"callbacks": None}, "a list of callbacks, got nothing"),
        ({"callbacks": [Deaf]}, r"nn\.Callback, got the class Deaf: write Deaf\(\)"),
        ({"callbacks": [print]}, r"nn\.Callback, got a builtin_function_or_method\."),
        ({"callbacks": "x"}, r"nn\.Callback, got 'x'\."),
        ({"validation_data": 5}, r"expected validation_data=\(x, y\), got 5\."),
        ({"validation_data": ([[1.0, 2.0]],)}, r"\(x, y\), got a tuple\."),
        ({"validation_split": 2}, r"^validation_split: expected a number >= 0"),
        ({"record": 5}, r"^record: expected a mapping \(every, layers\), got 5\."),
        ({"record": {"every": 0}}, r"^record\.every: expected an integer"),
    ],
)
def test_fit_refuses_what_is_no_such_argument_and_builds_nothing(
    arguments: dict[str, Any], message: str
) -> None:
    model = classifier()
    with pytest.raises(ArgumentError, match=message):
        model.fit([[1.0, 2.0], [2.0, 1.0]], [0, 1], **arguments)
    assert model._experiment is None


def test_callbacks_may_be_any_iterable() -> None:
    heard: list[int] = []

    class Hears(nn.Callback):
        def on_end(self, trainer: Any) -> None:
            heard.append(trainer.progress.step)

    callbacks: Any = (Hears() for _ in range(2))
    classifier().fit([[1.0, 2.0], [2.0, 1.0]], [0, 1], callbacks=callbacks)
    assert heard == [1, 1]


def test_save_makes_the_directory_or_says_what_is_in_its_place(tmp_path: Path) -> None:
    model = classifier().build((2,))
    model.save(tmp_path / "new" / "m.safetensors")
    with pytest.raises(RunError, match="place to write to, got: Not a directory"):
        model.save(tmp_path / "new" / "m.safetensors" / "n.safetensors")


def test_fit_splits_rows_together_with_their_weights() -> None:
    x, y = quadrants()
    weights = np.where(y == "same", 2.0, 1.0)
    model = classifier()
    history = model.fit(x, y, validation_split=0.25, sample_weight=weights)
    assert "validation" in history.last
    with pytest.raises(ArgumentError, match="overrides"):
        Model.from_config(CONFIGS / "xor.yaml").fit(sample_weight=weights)


def test_fit_takes_what_a_config_takes_and_names_what_it_does_not() -> None:
    x, y = quadrants()
    model = classifier()
    model.fit(x, y, epochs=np.int64(2), clip_value=0.5, average={"decay": 0.9})
    with pytest.raises(ArgumentError, match="Did you mean 'epochs'"):
        model.fit(x, y, epoch=2)
    with pytest.raises(ArgumentError, match=r"early_stopping.*patience"):
        model.fit(x, y, early_stopping={"patience": 0})


def test_fit_called_again_follows_its_own_settings() -> None:
    x, y = quadrants()
    model = classifier()
    model.fit(x, y)
    model.fit(x, y, epochs=3, average={"decay": 0.9})
    averaged = model.predict_proba(x)
    model.fit(x, y, epochs=1, average=None)
    assert not np.array_equal(averaged, model.predict_proba(x))
    assert model._built.average is None
    lbfgs = Model([nn.Dense(2)]).compile("lbfgs", "softmax_cross_entropy")
    lbfgs.fit(x, y, batch_size="full")
    with pytest.raises(ConfigError, match="batch_size full"):
        lbfgs.fit(x, y, batch_size=16)


def test_fit_draws_the_rows_it_holds_back_by_the_seed() -> None:
    x, y = quadrants()
    held = []
    for seed in (1, 1, 2):
        model = Model([nn.Dense(2)], seed=seed).compile("sgd")
        model.fit(x, y, validation_split=0.25)
        parts = model._built.parts
        assert len(parts["train"]) == 90
        held.append(all_of(parts["validation"]).x.data)
        both = np.concatenate([all_of(part).x.data for part in parts.values()])
        assert len(np.unique(both, axis=0)) == len(x)
    np.testing.assert_array_equal(held[0], held[1])
    assert not np.array_equal(held[0], held[2])


def test_three_fits_of_one_epoch_are_one_fit_of_three_to_the_bit() -> None:
    x, y = quadrants()

    def made() -> Model:
        layers: list[Any] = [nn.Dense(8), nn.BatchNorm(), "tanh", nn.Dropout(0.3)]
        model = Model([*layers, nn.Dense(2)], seed=1)
        optimizer = nn.Sgd(lr=0.1, momentum=0.9)
        schedule = {"type": "exponential", "factor": 0.9, "by": "step"}
        return model.compile(optimizer, "softmax_cross_entropy", schedule=schedule)

    parts, whole = made(), made()
    settings: dict[str, Any] = {"batch_size": 16, "validation_split": 0.25}
    rows = [parts.fit(x, y, epochs=1, **settings).last for _ in range(3)]
    history = whole.fit(x, y, epochs=3, **settings)
    assert rows == history.rows
    np.testing.assert_array_equal(parts.flat.values, whole.flat.values)
    for name, array in whole.network.state.items():
        np.testing.assert_array_equal(parts.network.state[name], array)


def test_predict_refuses_one_row_and_says_how_to_give_it() -> None:
    x, y = quadrants()
    model = classifier()
    model.fit(x, y)
    message = r"shape \(N, 2\), got \(2,\)\. For a single row, give x\[None\]"
    for ask in (model.predict, model.predict_proba):
        with pytest.raises(ShapeError, match=message):
            ask(x[0])
    with pytest.raises(ShapeError, match=r"\(N, 2\), got \(120, 1\)"):
        model.predict(x[:, :1])
    assert model.predict(x[0][None]).shape == (1,)


@pytest.mark.parametrize("dataset", ["spiral", "digits"])
def test_classes_of_a_dataset_come_back_in_their_own_type(
    dataset: str, tmp_path: Path
) -> None:
    config = CONFIGS / f"{dataset}.yaml"
    command = ["train", str(config), "training.epochs=1", "--runs-dir", str(tmp_path)]
    assert run(command) == 0
    best = tmp_path / f"{dataset}-1" / "checkpoints" / "best.safetensors"
    fitted = Model.from_config(config, ["training.epochs=1"])
    fitted.fit()
    fitted.save(tmp_path / "again")
    for model in (Model.load(best), fitted, Model.load(tmp_path / "again")):
        assert model.classes is not None
        assert {type(label) for label in model.classes.tolist()} == {int}
        found = model.predict(np.zeros((3, *model.network.shapes[0])))
        assert found.dtype == model.classes.dtype
        assert set(found.tolist()) <= set(model.classes.tolist())


@pytest.mark.parametrize("stored", ["in memory", "mapped"])
def test_fit_keeps_rows_in_their_own_type_where_they_are(
    stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_module, "KEEP", 2**20)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (20_000, 784), np.uint8)
    y = rng.integers(0, 2, len(x))
    if stored == "mapped":
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = Model([nn.Dense(2)], transforms=["standardize"]).compile("sgd")
    tracemalloc.start()
    try:
        model.fit(x, y, epochs=1, batch_size=512, validation_split=0.1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # In float32 they would take 63 MB.
    assert peak < 40e6


@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", "f8"])
def test_fit_on_rows_prepared_ahead_gives_the_bits_of_rows_in_memory(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (90, 3)).astype(dtype)
    y, weights = rng.integers(0, 3, 90), rng.random(90)

    def fitted() -> Array:
        model = Model([nn.Dense(3)], transforms=["scale"]).compile("adam")
        model.fit(x, y, epochs=2, validation_split=0.1, sample_weight=weights)
        return model.flat.values

    kept = fitted()
    monkeypatch.setattr(part_module, "KEEP", 0)
    monkeypatch.setattr(batches_module, "AHEAD", 0)
    np.testing.assert_array_equal(fitted(), kept)
