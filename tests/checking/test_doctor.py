"""The doctor: each planted fault is found and mended by its override; health is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nncli.checking.doctor.base import CHECKS, Finding
from nncli.checking.doctor.baseline import constant_loss, free_loss
from nncli.checking.doctor.checks.labels import likeness
from nncli.checking.doctor.examination import Examination
from nncli.checking.doctor.examine import examine
from nncli.config.load import load_config
from nncli.core.arrays import Array
from nncli.core.errors import ConfigError
from nncli.experiment.build import build
from tests.conftest import CONFIGS

Write = Callable[..., Path]

HEALTHY = """\
dataset: {type: two_ellipses, samples: 100}
split: {validation: 0.2}
transforms: [standardize]
layers:
  - {type: dense, units: 16}
  - relu
  - {type: dense, units: 2}
loss: softmax_cross_entropy
optimizer: {type: adam, lr: 0.01}
training: {epochs: 20, batch_size: 32}
"""
SIGMOIDS = ", ".join(["{type: dense, units: 16}, sigmoid"] * 8)
INNER = "{type: dense, units: 16}, relu, {type: dense, units: 16}"
BLOCK = f"{{type: residual, layers: [{INNER}]}}"
STACK = f"{{type: sequential, repeat: 20, layers: [{BLOCK}]}}"
DIGITS = f"layers=[flatten, {INNER}, relu, {{type: dense, units: 10}}]"
LAST = "{type: dense, units: 2}"
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"

FAULTS = {
    "lr too large": ("learning_rate", ["optimizer.lr=20"]),
    "lr that leaps": ("update_ratio", ["optimizer.lr=20"]),
    "lr at the edge": (
        "learning_rate",
        [
            "dataset=linear",
            "layers=[{type: dense, units: 1}]",
            "loss=mse",
            "optimizer={type: sgd, lr: 0.7}",
        ],
    ),
    "lr that learns nothing": (
        "learning_rate",
        ["dataset=digits", "optimizer.lr=0.3", DIGITS],
    ),
    "lr too small": ("learning_rate", ["optimizer.lr=1e-6"]),
    "lr of no effect": ("update_ratio", ["optimizer.lr=1e-7"]),
    "schedule that falls at once": (
        "schedule",
        ["schedule={type: inverse_time, decay: 1000}"],
    ),
    "warmup that never ends": (
        "schedule",
        ["schedule={type: warmup, steps: 1000000, then: constant}"],
    ),
    "unscaled inputs": (
        "input_scale",
        [
            "dataset=digits",
            "transforms=[]",
            "layers=[flatten, {type: dense, units: 10}]",
        ],
    ),
    "large last layer": ("first_loss", ["layers[2].init={type: normal, std: 20}"]),
    "dead ReLUs by bad init": (
        "dead_units",
        [
            "transforms=[{type: scale, low: 0, high: 1}]",
            "layers[0].init={type: constant, value: -1}",
        ],
    ),
    "ReLUs that large steps kill": (
        "dead_units",
        ["dataset=digits", "optimizer.lr=1", DIGITS],
    ),
    "vanishing sigmoids": ("gradients", [f"layers=[{SIGMOIDS}, {LAST}]"]),
    "vanishing sigmoids in a block": (
        "gradients",
        [
            "layers=[{type: sequential, repeat: 8, layers: "
            f"[{{type: dense, units: 16}}, sigmoid]}}, {LAST}]"
        ],
    ),
    "nothing but zeros": (
        "gradients",
        ["layers[0].init=zeros", "layers[2].init=zeros"],
    ),
    "exploding residual stack": (
        "activations",
        [f"layers=[{{type: dense, units: 16}}, {STACK}, {LAST}]"],
    ),
    "loss of numbers for classes": ("loss_fit", ["loss=mse"]),
    "logits behind a ReLU": (
        "loss_fit",
        [f"layers=[{{type: dense, units: 16}}, relu, {LAST}, relu]"],
    ),
    "weight decay": ("brakes", ["optimizer.weight_decay=10"]),
    "penalties": ("brakes", ["layers[0].l2=10", "layers[2].l1=10"]),
    "clipping of the norm": (
        "brakes",
        ["training.clip_norm=1e-6", "optimizer={type: sgd, lr: 0.1}"],
    ),
    "clipping of values": (
        "brakes",
        ["training.clip_value=1e-6", "optimizer={type: sgd, lr: 0.1}"],
    ),
    "frozen layer": ("frozen_layers", ["layers[0].trainable=false"]),
}
"""For each fault, the check that finds it, and the overrides that plant it."""


def diagnose(path: Path, overrides: list[str]) -> dict[str, Finding]:
    """Return findings by the check that made them."""
    found = examine(lambda more: load_config(path, [*overrides, *more]))
    return {finding.check: finding for finding in found}


def check_alone(name: str, path: Path, overrides: list[str]) -> list[Finding]:
    """Return what one check finds."""
    check = CHECKS.find(name)
    assert check is not None
    return list(check(Examination(load_config(path, overrides))).run())


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found_and_its_override_mends_it(
    fault: str, write_config: Write
) -> None:
    check, plant = FAULTS[fault]
    path = write_config(HEALTHY)
    found = check_alone(check, path, plant)
    assert found
    assert found[0].overrides
    assert check_alone(check, path, found[0].after(plant)) == []


@pytest.mark.parametrize(
    ("plant", "message", "override"),
    [
        (
            ["loss=binary_cross_entropy"],
            "loss: binary_cross_entropy expects probabilities: let the network end "
            "with sigmoid; the last layer gives any numbers.",
            "loss=softmax_cross_entropy",
        ),
        (
            ["layers[1]=batch_norm", "training.batch_size=1"],
            "layers[1]: batch_norm needs at least 2 rows in every batch;",
            "training.batch_size=32",
        ),
        (["layers[2].units=7"], "one output for each of the 2", "layers[2].units=2"),
        (
            [
                "layers=[{type: dense, units: 1}, softmax]",
                "loss=binary_cross_entropy",
            ],
            "the last layer gives distributions.",
            "layers[1]=sigmoid",
        ),
        (
            ["layers=[{type: dense, units: 2}, hard_sigmoid]"],
            "the last layer gives probabilities.",
            "layers=[{type: dense, units: 2}]",
        ),
        (
            ["layers=[{type: dense, units: 2}, softmax]"],
            "the last layer gives distributions.",
            "loss=categorical_cross_entropy",
        ),
    ],
    ids=[
        "wrong loss for the output",
        "batch of one with batch_norm",
        "units",
        "softmax of one output",
        "probabilities for logits",
        "the same loss behind its activation",
    ],
)
def test_what_building_refuses_is_a_finding_of_the_same_words(
    plant: list[str], message: str, override: str, write_config: Write
) -> None:
    path = write_config(HEALTHY)
    found = diagnose(path, plant)["refused"]
    assert message in found.text
    with pytest.raises(ConfigError, match=re.escape(found.text)):
        build(load_config(path, plant))
    assert found.overrides == (override,)
    build(load_config(path, [*plant, override]))


def test_no_loss_of_numbers_is_advised_for_classes(write_config: Write) -> None:
    block = "{type: sequential, layers: [{type: dense, units: 1}, softmax]}"
    path = write_config(HEALTHY)
    plant = [f"layers=[{block}]", "loss=binary_cross_entropy"]
    (found,) = examine(lambda more: load_config(path, [*plant, *more]))
    assert found.overrides == ()


def test_units_that_a_training_has_left_dead_are_found(write_config: Write) -> None:
    path = write_config(HEALTHY)
    trained = build(load_config(path, []))
    bias = trained.network.layers[0].parameters["bias"].data
    for killed, message in ((8, ""), (9, "9 of 16 units of layers[1] relu are dead")):
        bias[:killed] = -100
        found = {
            each.check: each.text
            for each in examine(lambda more: load_config(path, more), trained=trained)
        }
        assert set(found) == ({"trained_units"} if message else set())
        assert message in found.get("trained_units", "")
    assert bias[0] == -100


def arrays(tmp_path: Path, x: Array, y: Array) -> list[str]:
    """Write an archive, and return the overrides that take it for the dataset."""
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    return [f"dataset={{type: npz, path: {tmp_path / 'rows.npz'}}}"]


def clouds(rng: np.random.Generator, rows: int = 200) -> tuple[Array, Array]:
    """Return points of two classes beside each other."""
    y = np.arange(rows) % 2
    return rng.normal(size=(rows, 3)) + 2 * y[:, None], y


def test_arrays_without_a_fault_are_silent(write_config: Write, tmp_path: Path) -> None:
    x, y = clouds(np.random.default_rng(0))
    assert diagnose(write_config(HEALTHY), arrays(tmp_path, x, y)) == {}


def test_shuffled_labels_are_found(write_config: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = clouds(rng)
    found = diagnose(write_config(HEALTHY), arrays(tmp_path, x, rng.permutation(y)))
    assert "deviations above shuffled targets over 160 rows" in found["labels"].text


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_weak_and_of_odd_relations_are_no_finding(
    seed: int, write_config: Write, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    bits, noise = rng.integers(0, 2, (1000, 8)), rng.normal(size=(1000, 30))
    # A linear model has an accuracy of 0.59 at best.
    weak = (0.3 * noise[:, 0] + rng.normal(size=1000) > 0).astype(int)
    relations = [(bits + 0.05 * noise[:, :8], bits.sum(axis=1) % 2), (noise, weak)]
    path = write_config(HEALTHY)
    for x, y in relations:
        assert check_alone("labels", path, arrays(tmp_path, x, y)) == []
        shuffled = arrays(tmp_path, x, rng.permutation(y))
        assert check_alone("labels", path, shuffled)


def test_leaked_duplicates_are_found(write_config: Write, tmp_path: Path) -> None:
    x, y = clouds(np.random.default_rng(0))
    twice = arrays(tmp_path, np.concatenate([x, x]), np.concatenate([y, y]))
    found = diagnose(write_config(HEALTHY), twice)
    # Of the copies, four fifths lie in training.
    assert " of the 80 of validation (" in found["duplicates"].text
    assert found.keys() == {"duplicates"}


def test_constant_element_of_arrays_is_found(
    write_config: Write, tmp_path: Path
) -> None:
    x, y = clouds(np.random.default_rng(0))
    x[:, 1] = 0.5
    found = diagnose(write_config(HEALTHY), arrays(tmp_path, x, y))
    assert "1 input of 3 never varies" in found["constant_inputs"].text
    assert ": [1]." in found["constant_inputs"].text


def test_constant_column_is_found_and_dropped(
    write_config: Write, tmp_path: Path
) -> None:
    x, y = clouds(np.random.default_rng(0))
    lines = [f"{a:.3f},7,{b:.3f},{k}" for (a, _, b), k in zip(x, y, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["one,same,two,kind", *lines]))
    table = [
        f"dataset={{type: csv, path: {tmp_path / 't.csv'}, targets: classes}}",
        "transforms=[]",
    ]
    path = write_config(HEALTHY)
    found = diagnose(path, table)["constant_inputs"]
    assert "1 column of the table with the same value in every row: same." in found.text
    assert found.overrides == ("dataset.drop=[same]",)
    assert diagnose(path, [*table, *found.overrides]) == {}


def waves(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return (400, 20, 1) noisy sines, and which of three frequencies they have."""
    kind, phase = rng.integers(0, 3, 400), rng.uniform(0, 2 * np.pi, 400)
    x = np.sin((kind[:, None] + 1) * 0.4 * np.arange(20) + phase[:, None])
    return (x + 0.2 * rng.normal(size=x.shape))[:, :, None], kind


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["lstm", "gru"])
@pytest.mark.parametrize("seed", [0, 1])
def test_plateau_is_told_from_a_rate_that_never_leaves_it(
    layer: str, seed: int, write_config: Write, tmp_path: Path
) -> None:
    plant = [
        *arrays(tmp_path, *waves(np.random.default_rng(0))),
        "transforms=[]",
        f"layers=[{{type: {layer}, units: 16, return_sequences: false}}, "
        "{type: dense, units: 3}]",
        "training.epochs=60",
        f"seed={seed}",
    ]
    path = write_config(HEALTHY)
    # Trained, these end with an accuracy of 1.00, 0.38 and 0.36.
    assert check_alone("learning_rate", path, [*plant, "optimizer.lr=1e-3"]) == []
    for small in ("3e-4", "1e-4"):
        small = f"optimizer.lr={small}"
        (found,) = check_alone("learning_rate", path, [*plant, small])
        assert "too small" in found.text
        assert check_alone("learning_rate", path, [*plant, *found.overrides]) == []


@pytest.mark.parametrize("layer", ["lstm", "gru", "rnn"])
def test_gates_do_not_hide_unscaled_inputs(
    layer: str, write_config: Write, tmp_path: Path
) -> None:
    x, y = waves(np.random.default_rng(0))
    net = f"{{type: {layer}, units: 4, return_sequences: false}}"
    layers = f"layers=[{net}, {{type: dense, units: 3}}]"
    plant = [*arrays(tmp_path, 1000 * x, y), "transforms=[]", layers]
    path = write_config(HEALTHY)
    (found,) = check_alone("input_scale", path, plant)
    assert check_alone("input_scale", path, found.after(plant)) == []


def test_column_that_tells_the_class_is_found_and_dropped(
    write_config: Write, tmp_path: Path
) -> None:
    x, y = clouds(np.random.default_rng(0))
    words = np.where(y == 1, "yes", "no")
    lines = [
        f"{a:.3f},{b:.3f},{w},{k}" for (a, b, _), w, k in zip(x, words, y, strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["one,two,paid,kind", *lines]))
    plant = [
        f"dataset={{type: csv, path: {tmp_path / 't.csv'}, targets: classes}}",
        "transforms=[]",
    ]
    path = write_config(HEALTHY)
    found = diagnose(path, plant)["leaks"]
    assert "single inputs: paid (share of rows whose class it tells" in found.text
    assert found.overrides == ("dataset.drop=[paid]",)
    assert diagnose(path, [*plant, *found.overrides]) == {}


def test_number_that_is_the_target_is_found(
    write_config: Write, tmp_path: Path
) -> None:
    x, _ = clouds(np.random.default_rng(0))
    change = ["loss=mse", "layers[2].units=1"]
    path = write_config(HEALTHY)
    plant = [*arrays(tmp_path, x, -3 * x[:, :1] + 1), *change]
    assert "single inputs: [0] (" in check_alone("leaks", path, plant)[0].text
    plant = [*arrays(tmp_path, x, x.sum(axis=1, keepdims=True)), *change]
    assert check_alone("leaks", path, plant) == []


def test_targets_of_another_scale_are_found(
    write_config: Write, tmp_path: Path
) -> None:
    x, _ = clouds(np.random.default_rng(0))
    y = 1000 * x.sum(axis=1, keepdims=True)
    plant = [*arrays(tmp_path, x, y), "loss=mse", "layers[2].units=1"]
    found = diagnose(write_config(HEALTHY), plant)
    assert "before they are stored" in found["target_scale"].advice
    # What comes of that is not told again.
    assert found.keys() == {"target_scale"}


def test_outputs_that_cannot_reach_the_targets_are_found(
    write_config: Write, tmp_path: Path
) -> None:
    x, _ = clouds(np.random.default_rng(0))
    layers = "layers=[{type: dense, units: 16}, tanh, {type: dense, units: 1}, tanh]"
    plant = [*arrays(tmp_path, x, x[:, :1]), "loss=mse", layers]
    found = diagnose(write_config(HEALTHY), plant)["loss_fit"]
    assert "gives numbers from -1 to 1 only" in found.text
    assert "loss_fit" not in diagnose(write_config(HEALTHY), [*plant, *found.overrides])


def test_end_of_an_activation_is_its_least_value(write_config: Write) -> None:
    layers = f"layers=[{{type: dense, units: 16}}, relu, {LAST}, gelu]"
    found = diagnose(write_config(HEALTHY), [layers])
    assert "gives numbers from -0.17 to infinity only" in found["loss_fit"].text


def test_last_activation_is_not_replaced_where_rows_cannot_be_learned(
    write_config: Write,
) -> None:
    layers = "layers=[{type: dense, units: 16}, relu, {type: dense, units: 1}, sigmoid]"
    plant = ["dataset=linear", "loss=mse", layers]
    (found,) = check_alone("one_batch", write_config(HEALTHY), plant)
    assert "layers[3]=relu" not in found.overrides


def test_frozen_normalization_was_not_drawn(write_config: Write) -> None:
    path = write_config(HEALTHY)
    plant = ["layers[1]={type: batch_norm, trainable: false}"]
    assert check_alone("frozen_layers", path, plant) == []
    (found,) = check_alone("frozen_layers", path, ["layers[0].trainable=false"])
    assert " with 32 parameters that were drawn" in found.text


def test_dead_units_of_several_layers_are_one_finding(write_config: Write) -> None:
    bad = "init: {type: constant, value: -1}"
    layer = f"{{type: dense, units: 16, {bad}}}, relu"
    plant = [
        "transforms=[{type: scale, low: 0, high: 1}]",
        f"layers=[{layer}, {LAST}, {layer}, {LAST}]",
    ]
    (found,) = check_alone("dead_units", write_config(HEALTHY), plant)
    assert found.text.startswith("16 of 16 units of layers[1] relu")


@pytest.mark.parametrize("seed", range(4))
def test_four_plain_residual_blocks_begin_well(seed: int, write_config: Write) -> None:
    block = BLOCK.replace("16", "64")
    layers = f"layers=[flatten, {{type: dense, units: 64}}, {', '.join([block] * 4)}, "
    plant = ["dataset=digits", f"{layers}{{type: dense, units: 10}}]", f"seed={seed}"]
    assert check_alone("first_loss", write_config(HEALTHY), plant) == []


@pytest.mark.parametrize(
    "schedule",
    ["cosine", "linear", "{type: warmup, steps: 30, then: cosine}"],
)
def test_usual_schedules_are_healthy(schedule: str, write_config: Write) -> None:
    plant = [f"schedule={schedule}"]
    assert diagnose(write_config(HEALTHY), plant) == {}


@pytest.mark.parametrize(
    "plant",
    [
        ["optimizer={type: adamw, lr: 0.01, weight_decay: 0.1}"],
        ["optimizer.weight_decay=0.01", "training.clip_norm=0.1"],
        ["layers[0].l2=0.001", "layers[2].l2=0.001", "training.clip_value=0.01"],
    ],
    ids=["decay", "clipping", "penalties"],
)
def test_usual_brakes_are_healthy(plant: list[str], write_config: Write) -> None:
    assert diagnose(write_config(HEALTHY), plant) == {}


def test_penalty_is_no_reason_why_rows_are_not_learned(write_config: Write) -> None:
    assert check_alone("one_batch", write_config(HEALTHY), ["layers[0].l2=10"]) == []


def test_linear_map_need_not_learn_rows_by_heart(write_config: Write) -> None:
    path = write_config(HEALTHY)
    plant = ["layers=[{type: dense, units: 4}, {type: dense, units: 2}]"]
    assert check_alone("one_batch", path, plant) == []
    narrow = ["layers=[{type: dense, units: 1}, relu, {type: dense, units: 2}]"]
    (found,) = check_alone("one_batch", path, narrow)
    assert found.overrides == ("layers[0].units=4",)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(
            path, id=path.stem, marks=[pytest.mark.slow] * (path.stem != "spiral")
        )
        for path in sorted(CONFIGS.glob("*.yaml"))
        if not path.stem.startswith("mnist")
    ],
)
def test_shipped_config_is_healthy(config: Path) -> None:
    assert diagnose(config, []) == {}


@pytest.mark.slow
@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST is not there")
@pytest.mark.parametrize("stem", ["mlp", "lenet"])
def test_shipped_config_of_mnist_is_healthy(stem: str) -> None:
    data = f"dataset={{type: mnist, root: {MNIST}, part: test}}"
    assert diagnose(CONFIGS / f"mnist_{stem}.yaml", [data, "split.test=0.2"]) == {}


def test_last_layer_may_begin_with_zeros(write_config: Write) -> None:
    assert diagnose(write_config(HEALTHY), ["layers[2].init=zeros"]) == {}


def test_examination_leaves_the_network_as_it_was(write_config: Write) -> None:
    loaded = load_config(write_config(HEALTHY.replace("relu", "batch_norm")), [])
    exam = Examination(loaded)
    exam.first, exam.rehearsal(), exam.rehearsal(0.0)
    one, two = exam.network, build(loaded).network
    np.testing.assert_array_equal(one.flat.values, two.flat.values)
    for name, array in one.state.items():
        np.testing.assert_array_equal(array, two.state[name])
    assert (
        one.streams.noise.bit_generator.state == two.streams.noise.bit_generator.state
    )


def test_rehearsal_at_rate_zero_is_the_same_batches_untrained(
    write_config: Write,
) -> None:
    exam = Examination(load_config(write_config(HEALTHY), []))
    still, now = exam.rehearsal(0.0), exam.rehearsal()
    assert still.losses[0] == now.losses[0]
    assert now.last < 0.5 * still.last
    assert still.ratio is None


def test_short_training_is_compared_with_fewer_steps(write_config: Write) -> None:
    plant = ["optimizer.lr=1e-4", "training.epochs=3"]
    (found,) = check_alone("learning_rate", write_config(HEALTHY), plant)
    assert "All 15 steps at this rate come about as far as 60 steps with 2.5e-05" in (
        found.text
    )


def test_findings_are_the_same_each_time(write_config: Write) -> None:
    path, plant = write_config(HEALTHY), ["optimizer.lr=20"]
    found = diagnose(path, plant)
    # Steps are too large, too: of the same rate, which is advised once.
    assert found.keys() == {"learning_rate"}
    assert diagnose(path, plant) == found


def test_baselines_are_entropy_and_variance(write_config: Write) -> None:
    exam = Examination(load_config(write_config(HEALTHY), []))
    targets = exam.batch.targets.data
    shares = np.bincount(targets) / len(targets)
    loss, outputs = exam.experiment.loss, exam.first.outputs
    entropy = -(shares * np.log(shares)).sum()
    assert constant_loss(loss, exam.batch, outputs) == pytest.approx(entropy, abs=1e-5)
    assert free_loss(loss, exam.batch, outputs) < 0.01
    changes = ["dataset=linear", "layers[2].units=1", "loss=mse"]
    exam = Examination(load_config(write_config(HEALTHY), changes))
    variance = exam.batch.targets.data.var()
    loss, outputs = exam.experiment.loss, exam.first.outputs
    assert constant_loss(loss, exam.batch, outputs) == pytest.approx(variance, rel=1e-3)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_baselines_know_targets_far_from_zero(loss: str, write_config: Write) -> None:
    far = ["dataset={type: linear, intercept: 5000}", "layers[2].units=1"]
    path, far = write_config(HEALTHY), [*far, f"loss={loss}"]
    exam = Examination(load_config(path, far))
    targets = exam.batch.targets.data.astype(np.float64)
    middle = np.median(targets) if loss == "mae" else targets.mean()
    off = np.abs(targets - middle)
    least = {
        "mse": off**2,
        "mae": off,
        "huber": np.where(off < 1, off**2 / 2, off - 0.5),
    }
    known = constant_loss(exam.experiment.loss, exam.batch, exam.first.outputs)
    assert known == pytest.approx(least[loss].mean(), rel=0.01)
    assert free_loss(exam.experiment.loss, exam.batch, exam.first.outputs) == 0
    assert check_alone("first_loss", path, far) == []


def test_likeness_sees_a_relation_that_no_line_shows() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 2))
    t = (np.sign(x[:, :1] * x[:, 1:]) + 0.1 * rng.normal(size=(300, 1))).round(3)
    t -= t.mean(axis=0)
    assert likeness(x, t, np.random.default_rng(1)) > 20
    shuffled = [likeness(x, rng.permutation(t), rng) for _ in range(20)]
    assert max(map(abs, shuffled)) < 4
