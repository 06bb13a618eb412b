"""Selection: conditions on facts, scores and the config; orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncli.core.errors import UsageError
from nncli.runs.entry import Entry
from nncli.runs.listing import list_runs
from nncli.runs.selection import Condition, Facts, ordered, places, select
from nncli.runs.tags import change_tags
from tests.runs.made import make_run


@pytest.fixture
def runs(tmp_path: Path) -> list[Entry]:
    """Return a-2, a-10 and b-1, which has no rows and no lr."""

    def config(rate: float) -> dict[str, Any]:
        layers = [{"type": "dense", "units": 3}, {"type": "relu"}]
        return {"optimizer": {"type": "adam", "lr": rate}, "layers": layers}

    change_tags(make_run(tmp_path, "a-2", config=config(0.1)), ["good", "old"], [])
    make_run(tmp_path, "a-10", losses=(0.2,), config=config(0.02), status="diverged")
    make_run(tmp_path, "b-1", losses=(), status=None)
    return list_runs(tmp_path).runs


def named(runs: list[Entry]) -> list[str]:
    return [run.name for run in runs]


CONDITIONS = {
    "name=a-2": {"a-2"},
    "name=a-*": {"a-2", "a-10"},
    "name!=a-*": {"b-1"},
    "state=crashed": {"b-1"},
    "epochs>1": {"a-2"},
    "epochs <= 1": {"a-10"},
    "train.loss<0.4": {"a-10"},
    "train<0.4": {"a-10"},
    "validation.accuracy>=0.79": {"a-10"},
    "test.loss<1": set(),
    "tags=good": {"a-2"},
    "tags!=good": {"a-10", "b-1"},
    "optimizer.lr=0.02": {"a-10"},
    "optimizer.lr==2e-2": {"a-10"},
    "optimizer.lr>0.05": {"a-2"},
    "optimizer=adam": {"a-2", "a-10"},
    "layers[0].units=3": {"a-2", "a-10"},
    "layers[1]=relu": {"a-2", "a-10"},
    "training.monitor=loss": {"a-2", "a-10", "b-1"},
    "epochs=true": set(),
    "started>2026-11-22T09": {"a-2", "a-10", "b-1"},
}


@pytest.mark.parametrize(("text", "wanted"), CONDITIONS.items(), ids=list(CONDITIONS))
def test_condition_selects(runs: list[Entry], text: str, wanted: set[str]) -> None:
    assert set(named(select(runs, [Condition.read(text)]))) == wanted


def test_every_condition_must_hold(runs: list[Entry]) -> None:
    both = [Condition.read("name=a-*"), Condition.read("optimizer.lr<0.05")]
    assert named(select(runs, both)) == ["a-10"]


@pytest.mark.parametrize("text", ["", "name", "=3", "a b=1", "<", "~name=3"])
def test_what_is_no_condition_is_refused(runs: list[Entry], text: str) -> None:
    with pytest.raises(UsageError):
        select(runs, [Condition.read(text)])


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (
            "optimizer.lr<zebra",
            "optimizer.lr: expected a number like 0.02, got 'zebra'.",
        ),
        ("name>=5", "name: expected a text like 'a-10', got 5."),
        ("tags<5", "tags: expected = or !=, got <."),
        ("validation.acuracy>0.9", "Did you mean 'validation.accuracy'?"),
    ],
)
def test_condition_that_can_hold_of_no_run_is_refused(
    runs: list[Entry], text: str, end: str
) -> None:
    chosen = sorted(runs, key=lambda run: run.name)
    with pytest.raises(UsageError) as caught:
        select(chosen, [Condition.read(text)])
    assert str(caught.value).endswith(end)


def test_score_that_is_still_to_come_can_be_asked_for(tmp_path: Path) -> None:
    make_run(tmp_path, "a-1", losses=(), status=None)
    runs = list_runs(tmp_path).runs
    assert select(runs, [Condition.read("validation.accuracy>0.9")]) == []
    Facts(runs).check_score("accuracy")


def test_key_that_no_run_has_is_told_with_near_ones(runs: list[Entry]) -> None:
    condition = [Condition.read("optimzer.lr=1")]
    with pytest.raises(UsageError, match=r"Did you mean 'optimizer\.lr'"):
        select(runs, condition)
    with pytest.raises(UsageError, match=r"Did you mean 'optimizer\.lr'"):
        ordered(runs, "optimzer.lr")


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("name", ["a-2", "a-10", "b-1"]),
        ("train", ["a-10", "a-2", "b-1"]),
        ("optimizer.lr", ["a-10", "a-2", "b-1"]),
        ("epochs", ["a-10", "a-2", "b-1"]),
        ("state", ["b-1", "a-10", "a-2"]),
    ],
)
def test_runs_are_ordered_and_those_without_a_value_come_last(
    runs: list[Entry], key: str, wanted: list[str]
) -> None:
    # crashed, diverged, done: in the order of the alphabet.
    wanted = ["b-1", "a-10", "a-2"] if key == "state" else wanted
    assert named(ordered(runs, key)) == wanted
    turned = named(ordered(runs, key, reverse=True))
    missing = wanted[2:] if key in ("train", "optimizer.lr", "epochs") else []
    there = [name for name in wanted if name not in missing]
    assert turned == there[::-1] + missing


def test_config_that_cannot_be_read_meets_no_condition(
    runs: list[Entry], tmp_path: Path
) -> None:
    (tmp_path / "a-2" / "checkpoints" / "last.safetensors").write_bytes(b"junk")
    assert named(select(runs, [Condition.read("optimizer=adam")])) == ["a-10"]


def test_places_name_every_leaf_and_each_type() -> None:
    config = {"a": {"type": "t", "b": [1, {"c": None}]}, "d": []}
    assert dict(places(config)) == {
        "a": "t", "a.type": "t", "a.b[0]": 1, "a.b[1].c": None, "d": []
    }  # fmt: skip
