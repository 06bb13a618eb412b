"""Network: places and labels of nested layers, and errors that name the innermost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.autograd.tape import record
from nncli.autograd.tensor import Tensor, apply
from nncli.checking.everything import check_layer
from nncli.checking.experiment import check_experiment
from nncli.checking.variations import variations
from nncli.config.load import load_config
from nncli.core.arrays import Array, Shape
from nncli.core.errors import ConfigError
from nncli.core.randomness import Streams
from nncli.experiment.build import build
from nncli.layers.activations import Tanh
from nncli.layers.base import InputSpec, Layer, LayerError
from nncli.layers.chain import add_children, copies, run
from nncli.layers.containers import Parallel, Residual, Sequential
from nncli.layers.dense import Dense
from nncli.layers.shape import Flatten, Permute
from nncli.network.network import Network
from nncli.ops.elementwise import Unary
from nncli.training.cost import summary_facts, summary_text
from tests.conftest import SMALL

Write = Callable[[str], Path]
FLOAT64 = np.dtype("float64")

NESTED = """\
layers:
  - {type: dense, units: 4}
  - type: sequential
    name: body
    repeat: 2
    layers:
      - type: residual
        layers:
          - tanh
          - {type: dense, units: 4}
  - {type: dense, units: 2}
"""
"""Instead of the layers of SMALL."""


def _nested(layers: str = NESTED) -> str:
    head, _, rest = SMALL.partition("layers:")
    return head + layers + rest[rest.index("loss:") :]


def _network(layers: list[Layer], row: Shape = (3,)) -> Network:
    return Network(layers, row, Streams(0), FLOAT64)


class Doubled(Unary):
    """y = 2x, with a derivative that is wrong by a thousandth."""

    def forward(self, x: Array, out: Array) -> None:
        np.multiply(x, 2, out)

    def backward(self, grad: Array, dx: Array) -> None:
        np.multiply(grad, 2.002, dx)


def test_labels_give_the_place_and_the_name_of_every_layer() -> None:
    block: list[Layer] = [Residual([Tanh()])]
    network = _network([Dense(3), Sequential(block, 2, "body"), Parallel([Tanh()])])
    assert [layer.label for layer in network.nested.values()] == [
        "layers[0] dense",
        "layers[1] sequential 'body'",
        "layers[1].repeat[0].layers[0] residual",
        "layers[1].repeat[0].layers[0].layers[0] tanh",
        "layers[1].repeat[1].layers[0] residual",
        "layers[1].repeat[1].layers[0].layers[0] tanh",
        "layers[2] parallel",
        "layers[2].branches[0] tanh",
    ]
    sources = [layer.source for layer in network.nested.values()]
    assert sources[4:] == [
        (1, "layers", 0),
        (1, "layers", 0, "layers", 0),
        (2,),
        (2, "branches", 0),
    ]


def test_steps_carry_the_label_of_the_innermost_layer() -> None:
    network = _network([Residual([Dense(3), Tanh()])])
    with record() as steps:
        network(Tensor(np.ones((2, 3))))
    assert [step.label for step in steps] == [
        "layers[0].layers[0] dense",
        "layers[0].layers[1] tanh",
        "layers[0] residual",
    ]


@pytest.mark.parametrize(
    ("layers", "path"),
    [
        ([Permute([0])], (0,)),
        ([Tanh(), Sequential([Tanh(), Permute([0])])], (1, "layers", 1)),
        ([Sequential([Residual([Permute([0])])], 3)], (0, "layers", 0, "layers", 0)),
        (
            [Parallel([Tanh(), Sequential([Permute([0])])])],
            (0, "branches", 1, "layers", 0),
        ),
    ],
)
def test_shape_errors_carry_the_path_of_the_innermost_layer(
    layers: Any, path: Any
) -> None:
    with pytest.raises(LayerError, match="rows with 1 axes") as told:
        _network(layers, (3, 2))
    assert told.value.path == path
    assert told.value.name == "permute"


def test_a_copy_that_does_not_fit_is_told_at_the_block_in_the_config() -> None:
    # The first copy fits, the second gets what the first gave.
    block = Sequential([Permute([0]), Unflattened()], repeat=2)
    with pytest.raises(LayerError) as told:
        _network([block])
    assert told.value.path == (0, "layers", 0)


def test_layers_that_break_their_promise_are_named_inside_others() -> None:
    with pytest.raises(LayerError, match=r"promised rows of shape \(7,\)") as told:
        _network([Sequential([Tanh(), Sequential([Promising(), Flatten()])])])
    assert told.value.path == (0, "layers", 1, "layers", 0)


def test_errors_when_running_are_named_inside_others() -> None:
    network = _network([Sequential([Tanh(), Dense(2)])])
    with pytest.raises(LayerError) as told:
        network(Tensor(np.ones((2, 4))))
    assert told.value.path == (0, "layers", 1)


class Unflattened(Layer):
    """(N, F) → (N, F, 1)."""

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        return (*input_shape, 1)

    def __call__(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape, 1)


class Promising(Layer):
    """Promises seven features and gives what it has."""

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        return (7,)

    def __call__(self, x: Tensor) -> Tensor:
        return x * 1.0


def test_config_errors_lie_at_the_nested_layer(write_config: Write) -> None:
    text = _nested().replace("- tanh", "- tanhh")
    with pytest.raises(ConfigError) as told:
        load_config(write_config(text), [])
    (problem,) = told.value.problems
    assert str(problem).startswith("layers[1].layers[0].layers[0].type: unknown layer")
    assert "Did you mean 'tanh'?" in str(problem)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("- tanh", "- {type: reshape, shape: [9]}", "layers[1].layers[0].layers[0]: "),
        ("- tanh", "- {type: dense, units: x}", "layers[1].layers[0].layers[0].units"),
        ("units: 4}\n  - {", "units: 5}\n  - {", "layers[1].layers[0]: residual: "),
        ("repeat: 2", "repeat: 0", "layers[1].repeat: "),
        ("name: body", "label: body", "layers[1].label: unknown key"),
    ],
)
def test_config_errors_name_the_nested_place(
    write_config: Write, old: str, new: str, where: str
) -> None:
    text = _nested().replace(old, new)
    assert text != _nested()
    with pytest.raises(ConfigError) as told:
        build(load_config(write_config(text), []))
    assert str(told.value.problems[0]).startswith(where)
    assert ":1:1:" not in str(told.value)


def test_config_errors_about_outputs_lie_at_the_last_size(write_config: Write) -> None:
    block = "  - {type: sequential, layers: [tanh, {type: dense, units: 3}]}\n"
    text = _nested().replace("  - {type: dense, units: 2}\n", block)
    text = text.replace("softmax_cross_entropy", "sigmoid_binary_cross_entropy")
    with pytest.raises(ConfigError) as told:
        build(load_config(write_config(text), []))
    assert "layers[2].layers[1].units: " in str(told.value)


def test_single_rows_are_told_at_the_nested_layer(write_config: Write) -> None:
    text = _nested().replace("- tanh", "- batch_norm")
    with pytest.raises(ConfigError) as told:
        build(load_config(write_config(text), ["training.batch_size=1"]))
    assert "layers[1].layers[0].layers[0]: batch_norm needs" in str(told.value)


def test_summary_counts_everything_once(write_config: Write) -> None:
    experiment = build(load_config(write_config(_nested()), []))
    facts = summary_facts(experiment)
    own = [layer["parameters"] for layer in facts["layers"]]
    assert own == [12, 0, 0, 0, 20, 0, 0, 20, 10]
    assert sum(own) == facts["parameters"] == experiment.network.flat.values.size
    assert [layer["depth"] for layer in facts["layers"]] == [0, 0, 1, 2, 2, 1, 2, 2, 0]
    # Dense: two operations a weight and one sum a bias, less one sum an output.
    dense = [layer["flops"] for layer in facts["layers"] if "dense" in layer["layer"]]
    plain = build(
        load_config(
            write_config(
                _nested(
                    "layers:\n"
                    + "  - {type: dense, units: 4}\n" * 3
                    + "  - {type: dense, units: 2}\n"
                )
            ),
            [],
        )
    )
    assert dense == [layer["flops"] for layer in summary_facts(plain)["layers"]]
    assert facts["flops"] == sum(layer["flops"] for layer in facts["layers"])
    lines = [
        line.partition("(N")[0].rstrip() for line in summary_text(facts).splitlines()
    ]
    assert lines[3:9] == [
        "layers[0] dense",
        "layers[1] sequential 'body'",
        "  repeat[0].layers[0] residual",
        "    layers[0] tanh",
        "    layers[1] dense",
        "  repeat[1].layers[0] residual",
    ]


def test_gradcheck_of_a_config_names_the_nested_culprit(write_config: Write) -> None:
    with Layer.registry.temporary():

        class Wrong(Layer, name="wrong"):
            """y = 2x."""

            def __call__(self, x: Tensor) -> Tensor:
                return apply(Doubled(), x)

        text = _nested().replace("- tanh", "- wrong")
        path = write_config(text)
        checks = list(check_experiment(build(load_config(path, ["precision=float64"]))))
    wrong = [check.name for check in checks if not check.passed]
    assert wrong == [
        "layers[1].repeat[0].layers[0].layers[0] wrong",
        "layers[1].repeat[1].layers[0].layers[0] wrong",
        "all layers and loss",
    ]
    right = [check.name for check in checks if check.passed]
    assert "layers[1].repeat[1].layers[0].layers[1] dense" in right
    # What is around a wrong layer cannot be judged.
    assert not any("residual" in name or "sequential" in name for name in right)


def test_gradcheck_names_a_container_whose_own_part_is_wrong() -> None:
    with Layer.registry.temporary():

        class Leaky(Layer, name="leaky_container"):
            """y = 2·f(x).

            Args:
                layers: The layers of f.
            """

            layers: list[Layer]

            def build(self, input_shape: Shape, rng: Streams) -> Shape:
                return add_children(
                    self, "layers", copies(self.layers), InputSpec(input_shape)
                ).shape

            def __call__(self, x: Tensor) -> Tensor:
                return apply(Doubled(), run(list(self.children.values()), x))

        checks = list(check_layer(Leaky))
        given = list(variations(Leaky))
    assert checks
    assert not any(check.passed for check in checks)
    assert not any(check.failure for check in checks)
    assert all(isinstance(arguments["layers"][0], Layer) for arguments in given)
    names = {report.name for check in checks for report in check.reports}
    assert {"input", "layers.0.gamma", "layers.0.beta"} <= names


def test_variations_try_every_choice_and_whole_chains() -> None:
    tried = list(variations(Parallel))
    assert {arguments.get("mode", "sum") for arguments in tried} == {
        "sum",
        "concat",
        "multiply",
    }
    assert any(len(arguments["branches"]) > 1 for arguments in tried)
    assert all(isinstance(a["layers"][0], Layer) for a in variations(Residual))
