"""Formulas that explain shows: whole, with what docstrings refer to."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import nncli.ops
from nncli.autograd.function import Function
from nncli.checking.explain import explain
from nncli.checking.quantity import Formula
from nncli.config.load import load_values
from nncli.core.signature import about
from nncli.experiment.build import build
from nncli.layers.base import Layer
from nncli.losses.base import Loss
from nncli.optimizers.base import Optimizer
from nncli.report.explanation_page import explanation_page
from nncli.report.explanation_text import explanation_text
from nncli.training.state import Progress


def functions(base: type = Function) -> Iterator[type]:
    kind: type
    for kind in base.__subclasses__():
        if kind.__module__.startswith("nncli.ops."):
            yield kind
        yield from functions(kind)


def kinds() -> list[type]:
    """Everything that has a formula."""
    for module in pkgutil.iter_modules(nncli.ops.__path__):
        importlib.import_module(f"nncli.ops.{module.name}")
    members = [base.members().values() for base in (Layer, Loss, Optimizer)]
    named = (kind for kind in functions() if getattr(kind, "type_name", ""))
    return [*named, *(kind for family in members for kind in family)]


def test_everything_that_a_docstring_refers_to_is_shown() -> None:
    seen = 0
    for kind in kinds():
        text = about(kind)
        names = re.findall(r"\b[Ss]ee\s+(\S+)", text)
        shown = "\n".join(other.text for other in Formula.of(kind).others)
        for name in (name for name in names if not name.startswith("there")):
            seen += 1
            assert shown, f"{kind.__name__}: {name}"
        assert "Attributes:" not in text, kind.__name__
    assert seen > 15


def test_formula_of_a_formula_is_told_once() -> None:
    from nncli.ops.losses_categorical import SmoothedSoftmaxCrossEntropy

    (smoothed,) = Formula.of(SmoothedSoftmaxCrossEntropy).others
    (categorical,) = smoothed.others
    assert (smoothed.name, categorical.name) == ("Smoothed", "Categorical")
    assert categorical.others == ()
    assert Formula.of(SmoothedSoftmaxCrossEntropy).whole.count("Base of losses") == 1


def test_formula_of_what_is_as_another_one_has_that_ones_too() -> None:
    from nncli.ops.gru import GruResetBefore

    (gru,) = Formula.of(GruResetBefore).others
    assert "da_n = dh·(1 − z)·(1 − n²)" in gru.text
    assert [other.name for other in gru.others] == ["Recurrent"]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_recurrent_layers_tell_every_letter_and_derivative(cell: str) -> None:
    config = {
        "dataset": {"type": "adding", "length": 3, "samples": 20},
        "layers": [
            {"type": cell, "units": 1, "layers": 2, "return_sequences": False},
            {"type": "dense", "units": 1},
        ],
        "loss": "mse",
        "optimizer": "sgd",
        "training": {"epochs": 1},
    }
    found = explain(build(load_values(config, source="test")), Progress())
    layer, dense = found.layers
    letters = {"weight": "W", "bias": "b", "recurrent": "U", "recurrent_bias": "v"}
    assert layer.letters == {
        each.name: letters[each.name[:-2]] for each in layer.parameters
    }
    assert dense.letters == {"weight": "W", "bias": "b"}
    facts = found.facts()["layers"][0]
    (op,) = facts["ops"].values()
    for letter in {*layer.letters.values()}:
        assert letter in facts["formula"]
        assert letter in op
    assert facts["letters"]["weight_1"] == "W"
    if cell == "gru":
        assert "n = tanh(W x_t + b + r·(U h_(t−1) + v))" in facts["formula"]
    text = " ".join(explanation_text(found, 80).split())
    for shown in (text, explanation_page(found)):
        assert "Here W is weight_0, b is bias_0, U is recurrent_0" in shown
        for gradient in ("dL/dW = Σ da x_tᵀ", "dL/dU = Σ du sᵀ", "dL/db = Σ da"):
            assert gradient in " ".join(shown.split())


def test_cross_entropy_tells_the_factors_and_what_its_mean_divides_by() -> None:
    loss = Loss.members()["softmax_cross_entropy"]
    assert "the mean divides by the class weights" in " ".join(
        Formula.of(loss).whole.split()
    )
    op = loss().function()
    assert "f_i is the class weight of row i's label" in Formula.of(type(op)).whole
