"""``nncli eval``: the numbers of a run, again, and of every split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nncli.cli.app import run as call
from nncli.runs.checkpoint import load_checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from tests.command import Command
from tests.conftest import CONFIGS, SMALL, each_config, evaluations

Write = Callable[..., Path]

LARGE = ("mnist_cnn", "mnist_resnet")

SPLITS = "split={validation: 0.2, test: 0.25}"

# Else the log scores as many rows of the training part as there are of validation.
ALL = "training.evaluate_rows=all"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return runs: one with all three parts, and two epochs of digits."""
    folder = tmp_path_factory.mktemp("finished")
    config, runs = folder / "config.yaml", folder / "runs"
    config.write_text(SMALL, encoding="utf-8")
    # So noisy that the network soon learns rows by heart: the best is not the last.
    changes = [SPLITS, ALL, "dataset.noise=2.0", "optimizer.lr=0.3"]
    changes += ["layers[0].units=64"]
    for arguments in (
        [str(config), *changes, "training.epochs=30"],
        [str(CONFIGS / "digits.yaml"), "training.epochs=2"],
    ):
        assert call(["train", *arguments, "--runs-dir", str(runs)]) == 0
    best = load_checkpoint(RunDirectory(runs / "small-1").best)
    assert best.meta["progress"]["epoch"] < 30
    return runs


@pytest.fixture
def run(command: Command, finished: Path) -> RunDirectory:
    """Return a copy of the run with all three parts."""
    name = "small-1"
    return RunDirectory(shutil.copytree(finished / name, command.runs / name))


@pytest.fixture
def digits(command: Command, finished: Path) -> RunDirectory:
    """Return a copy of the run of digits."""
    name = "digits-1"
    return RunDirectory(shutil.copytree(finished / name, command.runs / name))


def test_eval_gives_the_numbers_of_the_log(command: Command, run: RunDirectory) -> None:
    for path, split in product((run.best, run.last), ("train", "validation")):
        result = command("eval", path, "--split", split, "--json").json()
        row = next(row for row in run.rows() if row["epoch"] == result["epoch"])
        assert {name: result[name] for name in ("loss", "accuracy")} == row[split]
        assert result["split"] == split


@each_config
def test_eval_gives_the_numbers_of_the_log_for_every_config_that_ships(
    command: Command, config: Path
) -> None:
    command.train(config, *evaluations(config, 2), ALL)
    run = RunDirectory(command.runs / f"{config.stem}-1")
    result = command("eval", run.last, "--split", "train", "--json").json()
    row = run.rows()[-1]["train"]
    assert {name: result[name] for name in row} == row


def test_eval_of_a_run_takes_its_best_checkpoint(
    command: Command, run: RunDirectory
) -> None:
    result = command("eval", run.path, "--json").json()
    assert result["checkpoint"] == str(run.best)
    assert result["epoch"] == load_checkpoint(run.best).meta["progress"]["epoch"]
    run.best.unlink()
    assert command("eval", run.path, "--json").json()["checkpoint"] == str(run.last)


def test_eval_takes_test_then_validation_then_train(
    command: Command, write_config: Write
) -> None:
    config = write_config()
    splits = {
        "{validation: 0.2, test: 0.2}": "test",
        "{validation: 0.2}": "validation",
        "{}": "train",
    }
    for i, (split, expected) in enumerate(splits.items(), start=1):
        command.train(config, f"split={split}")
        run = command.runs / f"small-{i}"
        assert command("eval", run, "--json").json()["split"] == expected


def test_eval_shows_what_its_json_has(command: Command, run: RunDirectory) -> None:
    result = command("eval", run.path, "--json").json()
    assert result["rows"] == 20
    shown = command("eval", run.path).out
    assert f"(after epoch {result['epoch']})" in shown
    assert "test: 20 rows" in shown
    assert max(map(len, shown.splitlines()[1:])) <= 80
    for line in result["classes"]:
        cells = [line["class"], str(line["rows"])]
        cells += ["-" if line[k] is None else f"{line[k]:.4f}" for k in MEASURES]
        assert cells in [text.split() for text in shown.splitlines()]


MEASURES = ("precision", "recall", "f1")


@pytest.mark.parity
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_eval_of_classes_agrees_with_scikit_learn(
    command: Command, digits: RunDirectory, split: str
) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    result = command("eval", digits.path, "--split", split, "--json").json()
    confusion = np.array(result["confusion"])
    # The rows as they would have been, class by class.
    truth, guess = np.indices(confusion.shape).reshape(2, -1)
    truth, guess = (np.repeat(index, confusion.ravel()) for index in (truth, guess))
    expected = metrics.precision_recall_fscore_support(truth, guess, zero_division=0)
    for key, values in zip((*MEASURES, "rows"), expected, strict=True):
        ours = [line[key] or 0 for line in result["classes"]]
        np.testing.assert_allclose(ours, values, rtol=1e-12)
    assert metrics.accuracy_score(truth, guess) == pytest.approx(result["accuracy"])
    assert [line["class"] for line in result["classes"]] == list("0123456789")


def test_eval_of_fresh_rows_depends_on_their_seed(
    command: Command, run: RunDirectory
) -> None:
    def loss(*arguments: object) -> float:
        outcome = command("eval", run.path, "--split", "fresh", "--json", *arguments)
        assert outcome.code == 0, outcome.err
        result = outcome.json()
        assert result["rows"] == 80
        return float(result["loss"])

    assert loss("--seed", 7) == loss("--seed", 7) != loss("--seed", 8)
    # The seed of the training draws other rows than the training had.
    assert loss() == loss("--seed", 3)


def test_eval_of_fresh_rows_wants_a_dataset_that_is_drawn(
    command: Command, digits: RunDirectory
) -> None:
    outcome = command("eval", digits.path, "--split", "fresh")
    assert outcome.code == 2
    assert "dataset digits" in outcome.err


def test_eval_of_numbers_has_no_table_of_classes(command: Command) -> None:
    command.train(CONFIGS / "linear_regression.yaml", "training.epochs=2")
    run = command.runs / "linear_regression-1"
    result = command("eval", run, "--json").json()
    assert "classes" not in result
    assert {"loss", "mae"} <= set(result)
    assert "precision" not in command("eval", run).out


def test_eval_of_a_part_that_is_not_there_names_those_that_are(
    command: Command, write_config: Write
) -> None:
    command.train(write_config())
    outcome = command("eval", command.runs / "small-1", "--split", "test")
    assert outcome.code == 2
    assert "train, validation" in outcome.err


def test_eval_adds_its_result_and_changes_nothing_else(
    command: Command, run: RunDirectory
) -> None:
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    for split in ("train", "validation", "test", "fresh"):
        result = command("eval", run.path, "--split", split, "--json").json()
        kept = run.path / f"eval-{split}.json"
        before[kept] = kept.read_bytes()
        assert json.loads(before[kept]) == result
    assert before == {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}


def test_eval_of_a_run_that_cannot_be_written_to_notes_it(
    command: Command, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, value: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("nncli.core.atomic.write_json", refuse)
    outcome = command("eval", run.path)
    assert outcome.code == 0
    assert "accuracy" in outcome.out
    assert "eval-test.json: the result is not kept: Permission denied." in outcome.err


def test_eval_of_what_is_no_checkpoint_is_one_message(
    command: Command, run: RunDirectory, tmp_path: Path
) -> None:
    (tmp_path / "random").write_bytes(np.random.default_rng(0).bytes(1000))
    (tmp_path / "cut").write_bytes(run.best.read_bytes()[:-1])
    flipped = bytearray(run.best.read_bytes())
    flipped[-1] ^= 1
    (tmp_path / "flipped").write_bytes(flipped)
    (tmp_path / "empty").mkdir()
    for name in ("random", "cut", "flipped", "empty", "missing"):
        outcome = command("eval", tmp_path / name)
        assert outcome.code == (2 if name in ("empty", "missing") else 1)
        assert outcome.out == ""
        assert str(tmp_path / name) in outcome.err
        assert len(outcome.err.splitlines()) == 1


def test_eval_of_changed_data_is_refused(command: Command, run: RunDirectory) -> None:
    checkpoint = load_checkpoint(run.best)
    checkpoint.meta["data_sha256"] = "0" * 64
    save_checkpoint(run.best, checkpoint)
    outcome = command("eval", run.path)
    assert outcome.code == 1
    assert "dataset xor" in outcome.err


def test_eval_of_a_network_that_is_not_finite_names_the_layer(
    command: Command, run: RunDirectory
) -> None:
    checkpoint = load_checkpoint(run.best)
    checkpoint.arrays["layers.0.weight"][:] = np.nan
    save_checkpoint(run.best, checkpoint)
    for option in ([], ["--json"]):
        outcome = command("eval", run.path, *option)
        assert outcome.code == 4
        assert "layers[0] dense is not finite" in outcome.err


@pytest.mark.usefixtures("own_registries")
def test_eval_takes_names_of_classes_as_they_are(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    (tmp_path / "odd.py").write_text(ODD, encoding="utf-8")
    text = SMALL.replace("{type: xor, samples: 20, noise: 0.3}", "odd_names")
    command.train(write_config(text + "plugins: [odd.py]\n"), "--allow-plugins")
    outcome = command("eval", command.runs / "small-1", "--allow-plugins")
    assert "[red]" in outcome.out
    assert "größe" in outcome.out


ODD = """\
from nncli.data.base import Dataset
from nncli.data.table import Table
from nncli.data.synthetic import Xor

class OddNames(Dataset, name="odd_names"):
    \"\"\"Classes whose names look like markup.\"\"\"
    def load(self, rng):
        table = Xor(20).load(rng)
        return Table(table.x, table.y, ("[red]", "größe"))
"""


def test_eval_draws_the_confusion_matrix_where_it_fits(
    command: Command, digits: RunDirectory
) -> None:
    result = command("eval", digits.path, "--json").json()
    # The first line is a path.
    lines = command("eval", digits.path).out.splitlines()[1:]
    assert max(map(len, lines)) <= 80
    start = next(i for i, line in enumerate(lines) if line.startswith("class, taken"))
    matrix = lines[start + 2 :][: len(result["confusion"])]
    for line, counts in zip(matrix, result["confusion"], strict=True):
        assert line.split()[1:] == [str(n) if n else "·" for n in counts]


def test_eval_leaves_out_a_confusion_matrix_that_is_too_wide(
    command: Command, write_config: Write
) -> None:
    changes = ["dataset={type: spiral, samples: 5, classes: 20}", "layers[2].units=20"]
    command.train(write_config(), *changes, "training.epochs=1")
    out = command("eval", command.runs / "small-1").out
    assert "taken for" not in out
    assert "f1" in out
