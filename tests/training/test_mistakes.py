"""The worst mistakes: the rows whose class was given the least probability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nncli.config.load import load_values
from nncli.data.batches import Batches
from nncli.experiment.build import build
from nncli.experiment.experiment import Experiment
from nncli.experiment.part import Part
from nncli.experiment.predict import predictions
from nncli.training.evaluate import Evaluator
from nncli.training.mistakes import Mistakes, has_mistakes
from tests.pictures import write_pictures


def experiment(**changes: Any) -> Experiment:
    config = {
        "dataset": {"type": "spiral", "samples": 20},
        "layers": [{"type": "dense", "units": 3}],
        "loss": "softmax_cross_entropy",
        "optimizer": "sgd",
        "split": {"test": 0.5},
        "training": {"epochs": 1},
    }
    return build(load_values(config | changes))


def worst_mistakes(
    made: Experiment, part: Part, count: int = 10
) -> list[dict[str, Any]]:
    watcher = Mistakes(made, part, count)
    evaluator = Evaluator(made, part, watchers=[watcher])
    # In small batches, and from the first row again when it runs again.
    evaluator.batches = Batches(part, 7)
    evaluator.run()
    evaluator.run()
    return watcher.result()


@pytest.mark.parametrize("split", ["train", "test"])
def test_worst_mistakes_are_those_of_a_sorted_loop(split: str) -> None:
    made = experiment()
    part = made.parts[split]
    found = worst_mistakes(made, part, 5)
    values = predictions(made, part.rows)
    y = part.rows.read("y", slice(0, len(part.rows)))
    assert part.index is not None
    wrong = [i for i in part.index.tolist() if values[i].argmax() != y[i]]
    wrong.sort(key=lambda i: values[i, y[i]])
    assert len(wrong) > 5
    assert [each["row"] for each in found] == wrong[:5]
    for each in found:
        i = each["row"]
        assert (each["class"], each["taken_for"]) == (
            str(y[i]),
            str(values[i].argmax()),
        )
        assert each["probability"] == pytest.approx(values[i].max(), rel=1e-6)
        assert each["probability_of_class"] == pytest.approx(values[i, y[i]], rel=1e-6)
        assert "name" not in each


def test_worst_mistakes_of_two_classes_with_one_output() -> None:
    made = experiment(
        dataset={"type": "xor", "samples": 20},
        layers=[{"type": "dense", "units": 1}],
        loss="sigmoid_binary_cross_entropy",
    )
    found = worst_mistakes(made, made.parts["test"], 100)
    assert found
    for each in found:
        assert {each["class"], each["taken_for"]} == {"0", "1"}
        both = each["probability"] + each["probability_of_class"]
        assert both == pytest.approx(1, abs=1e-6)
    values = [each["probability_of_class"] for each in found]
    assert values == sorted(values)


def test_worst_mistakes_name_files(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    paths = write_pictures(tmp_path)
    dataset = {"type": "image_folder", "path": str(tmp_path)}
    made = experiment(
        dataset=dataset, layers=["flatten", {"type": "dense", "units": 2}], split={}
    )
    for each in worst_mistakes(made, made.parts["train"]):
        assert each["name"] == str(paths[each["row"]])


def test_numbers_have_no_mistakes() -> None:
    numbers = experiment(
        dataset="linear", layers=[{"type": "dense", "units": 1}], loss="mse"
    )
    assert not has_mistakes(numbers, numbers.parts["train"])
    made = experiment()
    assert has_mistakes(made, made.parts["train"])
