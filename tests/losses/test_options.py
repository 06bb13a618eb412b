"""Options of losses in a config: what fits, what is handed on, what is added up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.config.load import load_config
from nncli.core.errors import ArgumentError, NncliError, ShapeError
from nncli.experiment.build import build
from nncli.experiment.experiment import Experiment
from nncli.losses.base import Loss, Targets
from nncli.network.network import Network
from nncli.training.evaluate import Evaluator
from tests.conftest import SMALL
from tests.training.jobs import all_of

FLOAT64 = np.dtype(np.float64)
LOSSES = Loss.members()
Write = Callable[[str], Path]


def _built(write: Write, *overrides: str) -> Experiment:
    return build(load_config(write(SMALL), list(overrides)))


@pytest.mark.parametrize("name", [n for n, cls in LOSSES.items() if cls.fusion])
def test_fused_loss_takes_every_argument_of_its_other_form(name: str) -> None:
    cls = LOSSES[name]
    assert cls.fusion is not None
    fused = LOSSES[cls.fusion[1]]
    assert fused(**cls().arguments).arguments == cls().arguments


def test_fused_loss_has_the_options_of_the_config(write_config: Write) -> None:
    loss = "{type: categorical_cross_entropy, class_weights: [1.0, 3.0]}"
    layers = "[{type: dense, units: 2}, softmax]"
    made = _built(write_config, f"loss={loss}", f"layers={layers}")
    assert made.fused == "softmax"
    assert made.loss.type_name == "softmax_cross_entropy"
    assert made.loss.arguments["class_weights"] == [1.0, 3.0]


def test_fused_loss_is_the_loss_of_the_probabilities_and_the_penalties(
    write_config: Write,
) -> None:
    layers = "[tanh, {type: dense, units: 2, l2: 0.25}, softmax]"
    made = _built(
        write_config,
        "loss=categorical_cross_entropy",
        f"layers={layers}",
        "precision=float64",
    )
    assert made.fused == "softmax"
    batch, flat = all_of(made.parts["train"]), made.network.flat
    assert set(flat.tensors) == {"layers.1.weight", "layers.1.bias"}
    weight, bias = (tensor.data for tensor in flat.leaves)
    sizes = np.exp(np.tanh(batch.x.data) @ weight.T + bias)
    p = sizes / sizes.sum(axis=1, keepdims=True)
    cross = -np.log(p[np.arange(len(p)), batch.targets.data]).mean()
    outputs = made.network(batch.x)
    loss = made.network.with_penalties(made.loss(outputs, batch.targets))
    assert loss.item() == pytest.approx(cross + 0.25 * (weight**2).sum(), rel=1e-12)
    np.testing.assert_allclose(made.loss.predictions(outputs).data, p, rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "loss"),
    [("softmax", "categorical_cross_entropy"), ("softmax", "kl_divergence")],
)
def test_the_only_layer_is_not_left_to_the_loss(
    layer: str, loss: str, write_config: Write
) -> None:
    made = _built(write_config, f"loss={loss}", f"layers=[{layer}]")
    assert made.fused == ""
    assert made.loss.type_name == loss
    assert [live.type_name for live in made.network.layers] == [layer]
    assert Evaluator(made, made.parts["train"]).run()["loss"] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("class_weights: [1.0]", "class_weights: expected one number for each of"),
        ("class_weights: [0.0, 0.0]", "class_weights: expected at least one above 0"),
        ("class_weights: [1.0, -1.0]", "class_weights"),
        ("ignore_label: 2", "ignore_label: expected the index of a class, 0 to 1"),
        ("label_smoothing: 1.5", "label_smoothing"),
        ("reduction: none", "reduction: expected one of 'mean', 'sum'"),
    ],
)
def test_option_that_does_not_fit_is_refused_when_building(
    options: str, message: str, write_config: Write
) -> None:
    with pytest.raises(NncliError, match=message):
        _built(write_config, f"loss={{type: softmax_cross_entropy, {options}}}")


@pytest.mark.parametrize(
    ("options", "units"),
    [
        ("type: softmax_cross_entropy, reduction: sum", 2),
        ("type: softmax_cross_entropy, class_weights: [0.2, 3.0]", 2),
        ("type: softmax_cross_entropy, ignore_label: 1", 2),
        ("type: softmax_cross_entropy, label_smoothing: 0.1", 2),
        ("type: softmax_focal, class_weights: [0.2, 3.0], ignore_label: 0", 2),
        ("type: hinge, reduction: sum", 1),
        ("type: hinge", 1),
    ],
)
def test_loss_of_a_part_does_not_depend_on_the_size_of_batches(
    options: str,
    units: int,
    write_config: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = _built(
        write_config,
        f"loss={{{options}}}",
        f"layers=[{{type: dense, units: {units}}}]",
        "metrics=[]",
        "precision=float64",
        "training.batch_size=4",
    )
    part = made.parts["train"]
    whole = Evaluator(made, part).run()["loss"]
    batch = all_of(part)
    at_once = made.loss(made.network(batch.x), batch.targets).item()
    assert whole == pytest.approx(at_once, rel=1e-12)
    monkeypatch.setattr(Network, "rows_within", lambda self, nbytes: 4)
    assert Evaluator(made, part).run()["loss"] == pytest.approx(at_once, rel=1e-12)


def test_loss_of_a_part_that_is_ignored_is_0(write_config: Write) -> None:
    made = _built(write_config, "loss={type: softmax_cross_entropy, ignore_label: 1}")
    part = made.parts["train"]
    part.targets = np.ones(len(part), int)
    assert Evaluator(made, part).run()["loss"] == 0.0


def _encode(name: str, targets: Any, classes: int, *shape: int) -> Any:
    names = tuple("abcdef"[:classes]) or None
    given = Targets(np.asarray(targets), names, shape, FLOAT64)
    return LOSSES[name]().encode(given)


def test_hinge_takes_two_classes_with_one_output() -> None:
    assert _encode("hinge", [0, 1], 2, 1).tolist() == [[0.0], [1.0]]
    for classes, width in ((2, 2), (3, 3), (3, 1)):
        with pytest.raises(ShapeError, match="use multi_class_hinge"):
            _encode("hinge", [0, 1], classes, width)


def test_hinge_decides_at_a_score_of_0() -> None:
    p = LOSSES["hinge"]().predictions(Tensor(np.array([[-0.1], [0.0], [0.1]]))).data
    assert (p > 0.5).ravel().tolist() == [False, False, True]


def test_divergence_takes_classes_and_distributions_only() -> None:
    for name in ("kl_divergence", "softmax_kl_divergence"):
        assert _encode(name, [1, 0], 2, 2).tolist() == [[0.0, 1.0], [1.0, 0.0]]
        assert _encode(name, [[0.25, 0.75]], 0, 2).tolist() == [[0.25, 0.75]]
        with pytest.raises(ShapeError, match="rows with the sum 1"):
            _encode(name, [[0.5, 0.75]], 0, 2)
        with pytest.raises(ArgumentError, match="between 0 and 1"):
            _encode(name, [[-0.5, 1.5]], 0, 2)
        with pytest.raises(ShapeError, match="one output a class"):
            _encode(name, [0, 1], 2, 1)


def test_poisson_refuses_negative_counts_and_predicts_rates() -> None:
    for name in ("poisson", "log_poisson"):
        assert _encode(name, [0.0, 3.0], 0, 1).tolist() == [[0.0], [3.0]]
        with pytest.raises(ArgumentError, match="expects counts"):
            _encode(name, [-1.0, 3.0], 0, 1)
    x = np.array([[0.0, np.log(2.0), 1e4]])
    rates = LOSSES["log_poisson"]().predictions(Tensor(x)).data
    assert rates.tolist() == [[1.0, 2.0, np.inf]]


def test_amount_is_what_the_mean_divides_by() -> None:
    labels = np.array([0, 1, 1, 2])
    cls: Any = LOSSES["softmax_cross_entropy"]
    assert cls().amount(labels) == 4
    assert cls(class_weights=[1.0, 2.0, 5.0, 9.0]).amount(labels) == 10
    assert cls(ignore_label=1).amount(labels) == 2
    assert cls(ignore_label=3).amount(labels) == 4
    assert cls(class_weights=[1.0, 2.0, 5.0, 9.0], ignore_label=2).amount(labels) == 5


def test_class_weights_that_are_all_0_are_an_argument_error() -> None:
    cls: Any = LOSSES["softmax_focal"]
    with pytest.raises(ArgumentError, match="at least one above 0"):
        cls(class_weights=[0.0, 0.0])
