"""Overrides: path=value on the command line changes a value of the config."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.config.override import apply_overrides
from nncli.config.read import Document, parse
from nncli.core.errors import Problem, UsageError

TEXT = """\
seed: 3
layers:
  - {type: dense, units: 6}
  - tanh
optimizer: {type: adam, lr: 0.02, beta1: 0.8}
"""


def changed(*overrides: str, text: str = TEXT) -> Any:
    document = parse(text, "x")
    apply_overrides(document, list(overrides))
    return document.value


def test_override_sets_a_value_at_the_top() -> None:
    assert changed("seed=7")["seed"] == 7


def test_override_sets_a_value_in_a_mapping() -> None:
    assert changed("optimizer.lr=1e-3")["optimizer"] == {
        "type": "adam",
        "lr": 0.001,
        "beta1": 0.8,
    }


@pytest.mark.parametrize("path", ["layers[0].units", "layers.0.units"])
def test_override_sets_a_value_in_a_list(path: str) -> None:
    assert changed(f"{path}=32")["layers"][0] == {"type": "dense", "units": 32}


def test_override_sets_an_item_of_a_list() -> None:
    assert changed("layers[1]=relu")["layers"][1] == "relu"


def test_override_below_a_bare_name_makes_it_a_mapping() -> None:
    value = changed("layers[1].slope=0.1", "layers[1].type=leaky_relu")
    assert value["layers"][1] == {"type": "leaky_relu", "slope": 0.1}


def test_override_makes_mappings_that_are_missing() -> None:
    value = changed("training.early_stopping.patience=3", "training.epochs=5")
    assert value["training"] == {"early_stopping": {"patience": 3}, "epochs": 5}


def test_override_makes_a_mapping_out_of_null() -> None:
    assert changed("split.test=0.1", text="split:\n")["split"] == {"test": 0.1}


VALUES: dict[str, Any] = {
    "3": 3,
    "1e-3": 0.001,
    "full": "full",
    "'3'": "3",
    "no": "no",
    "true": True,
    "null": None,
    "": None,
    "[accuracy]": ["accuracy"],
    "{type: sgd, lr: 0.1}": {"type": "sgd", "lr": 0.1},
    "a=b": "a=b",
}


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=map(repr, VALUES))
def test_override_reads_its_value_as_yaml(text: str, value: Any) -> None:
    assert changed(f"key={text}")["key"] == value


def test_new_type_drops_the_arguments_of_the_old_one() -> None:
    assert changed("optimizer.type=sgd")["optimizer"] == {"type": "sgd"}


def test_same_type_keeps_the_arguments() -> None:
    assert changed("optimizer.type=adam")["optimizer"]["lr"] == 0.02


@pytest.mark.parametrize(
    "overrides",
    [
        ("optimizer.type=sgd", "optimizer.momentum=0.9"),
        ("optimizer.momentum=0.9", "optimizer.type=sgd"),
    ],
)
def test_new_type_keeps_the_arguments_of_the_command_line(
    overrides: tuple[str, str],
) -> None:
    assert changed(*overrides)["optimizer"] == {"type": "sgd", "momentum": 0.9}


@pytest.mark.parametrize("type_change", ["optimizer=sgd", "optimizer.type=sgd"])
def test_type_and_its_arguments_may_come_in_any_order(type_change: str) -> None:
    wanted = {"type": "sgd", "lr": 0.5}
    assert changed("optimizer.lr=0.5", type_change)["optimizer"] == wanted
    assert changed(type_change, "optimizer.lr=0.5")["optimizer"] == wanted


def test_whole_list_may_come_after_an_item_of_it() -> None:
    value = changed("layers[2].units=8", "layers=[relu, tanh, {type: dense}]")
    assert value["layers"][2] == {"type": "dense", "units": 8}


def test_bare_name_replaces_the_whole_mapping() -> None:
    assert changed("optimizer=sgd")["optimizer"] == "sgd"


def test_later_override_wins() -> None:
    assert changed("seed=1", "seed=2")["seed"] == 2
    assert changed("optimizer=sgd", "optimizer.type=adam")["optimizer"] == {
        "type": "adam"
    }
    assert changed("optimizer.type=adam", "optimizer=sgd")["optimizer"] == "sgd"


def test_whole_that_gives_a_value_replaces_an_earlier_one() -> None:
    overrides = ("optimizer.lr=3", "optimizer={type: sgd, lr: 4}")
    assert changed(*overrides)["optimizer"] == {"type": "sgd", "lr": 4}
    assert changed(*reversed(overrides))["optimizer"] == {"type": "sgd", "lr": 3}


def test_no_override_changes_nothing() -> None:
    assert changed() == parse(TEXT, "x").value


def place(document: Document, *path: str | int) -> str:
    """Return where a problem at a path is said to be."""
    return str(document.error([Problem(path, "wrong.")])).splitlines()[0]


def test_place_of_a_value_that_was_overridden_is_the_command_line() -> None:
    document = parse(TEXT, "x")
    apply_overrides(document, ["optimizer.lr=3", "layers[1]={type: dense}"])
    lr = place(document, "optimizer", "lr")
    assert lr == "command line: optimizer.lr=3: optimizer.lr: wrong."
    units = place(document, "layers", 1, "units")
    assert units.startswith("command line: layers[1]={type: dense}: layers[1].units")
    assert place(document, "optimizer", "beta1").startswith("x:5:42: ")
    assert place(document, "optimizer").startswith("x:5:12: ")


def test_place_of_an_override_inside_an_override_is_the_inner_one() -> None:
    document = parse(TEXT, "x")
    apply_overrides(document, ["optimizer={type: sgd}", "optimizer.lr=3"])
    assert place(document, "optimizer", "lr").startswith("command line: optimizer.lr=3")
    assert place(document, "optimizer").startswith("command line: optimizer={type")


def test_override_that_replaces_another_takes_its_place() -> None:
    document = parse(TEXT, "x")
    apply_overrides(document, ["optimizer.lr=3", "optimizer={lr: 4}"])
    where = place(document, "optimizer", "lr")
    assert where.startswith("command line: optimizer={lr: 4}")


def test_refused_override_is_a_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"^override 'seed': expected path=value"):
        changed("seed")
    assert UsageError.exit_code == 2


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text("abltype.[]0129=-{}:, \n'*&!é", max_size=25))
def test_override_of_any_text_only_raises_usage_errors(text: str) -> None:
    for override in (text, f"layers{text}", f"layers[{text}", f"seed={text}"):
        with contextlib.suppress(UsageError):
            changed(override)
