"""``nncli init`` of a table: what it sees, what it writes, and that it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.config.examples import examples
from nncli.config.load import load_config
from nncli.config.schema import Config
from tests.command import Command
from tests.conftest import CONFIGS

pytest.importorskip("polars")

DATASETS = CONFIGS.parent / "datasets"
ROWS = 60


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(name: str = "t.csv", **columns: Any) -> str:
    """Write a table of ROWS rows; a number column ``a`` is always there."""
    rng = np.random.default_rng(0)
    table = {"a": [f"{value:.3f}" for value in rng.normal(size=ROWS)], **columns}
    rows = zip(*table.values(), strict=True)
    lines = [",".join(table), *(",".join(map(str, row)) for row in rows)]
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def config_of(name: str = "t.yaml") -> Config:
    return load_config(Path(name), []).config


def test_init_writes_a_config_that_trains_and_names_the_next_command(
    command: Command,
) -> None:
    path = written(
        kind=["x", "y", "z"] * (ROWS // 3),
        who=[f"n{row}" for row in range(ROWS)],
        y=["no", "yes"] * (ROWS // 2),
    )
    outcome = command("init", path, "--target", "y")
    assert outcome.code == 0, outcome.err
    assert "next: nncli train t.yaml" in outcome.out
    assert "left out: who" in outcome.out
    assert "t.csv: 60 rows, 2 inputs" in outcome.out
    text = Path("t.yaml").read_text()
    assert "#   who: nearly every row has a text of its own" in text
    assert "#   kind  category  3" not in text
    assert "#   kind  category  x, y, z" in text
    result = command.train("t.yaml", "training.epochs=2", "--json").json()
    assert result["epochs"] == 2


@pytest.mark.parametrize(
    ("values", "task", "loss"),
    [
        (["no", "yes"] * 30, "classes", "softmax_cross_entropy"),
        ([0, 1] * 30, "classes", "softmax_cross_entropy"),
        ([0.5, 1.5] * 30, "classes", "softmax_cross_entropy"),
        ([1, 2, 3] * 20, "classes", "softmax_cross_entropy"),
        ([4, 5, 6] * 20, "numbers", "mse"),
        ([0.5, 1.5, 2.5] * 20, "numbers", "mse"),
        ([0, 1, 1, 2, 3, 14] * 10, "counts", "log_poisson"),
        ([0, 100, 250] * 20, "numbers", "mse"),
        ([-1, 0, 1] * 20, "numbers", "mse"),
    ],
)
def test_task_follows_from_the_target(
    command: Command, values: list[float], task: str, loss: str
) -> None:
    facts = command("init", written(y=values), "--json").json()
    assert facts["task"] == task
    assert config_of().loss.type_name == loss
    assert command("train", "t.yaml", "--dry-run").code == 0


def test_several_targets_are_labels_or_numbers(command: Command) -> None:
    path = written(b=["yes", "no"] * 30, c=[0, 1, 1] * 20, d=range(ROWS))
    facts = command("init", path, "--target", "b,c", "--json", "-o", "l.yaml").json()
    assert facts["task"] == "labels"
    assert config_of("l.yaml").layers[-1].arguments["units"] == 2
    arguments = ("--target", "c, d", "-o", "new/n.yaml")
    facts = command("init", path, *arguments, "--json").json()
    assert facts["task"] == "numbers"
    for name in ("l.yaml", "new/n.yaml"):
        assert command("train", name, "--dry-run").code == 0


def test_task_that_is_named_wins_where_it_can(command: Command) -> None:
    path = written(y=[1, 2, 3] * 20)
    assert command("init", path, "--task", "numbers").code == 0
    assert config_of().loss.type_name == "mse"
    outcome = command("init", path, "--task", "labels", "-o", "x.yaml")
    assert outcome.code == 2
    assert "expected targets that are labels, got classes" in outcome.err
    assert not Path("x.yaml").exists()


def test_rare_class_is_weighed(command: Command) -> None:
    path = written(y=["often"] * (ROWS - 3) + ["seldom"] * 3)
    assert "class seldom is rare (3 rows)" in command("init", path).out
    loss = config_of().loss
    assert loss.arguments["class_weights"] == "balanced"
    assert "balanced_accuracy" in [m.type_name for m in config_of().metrics]


def test_columns_of_names_are_dropped_with_the_reason(command: Command) -> None:
    names = [f"n{i}" for i in range(40)] + ["same"] * 20
    facts = command("init", written(car=names, y=[1.5, 2, 4] * 20), "--json").json()
    assert facts["dropped"] == {"car": "41 different texts in 60 rows"}
    assert "- car  " in Path("t.yaml").read_text()


def test_test_file_is_named_and_no_share_is_taken(command: Command) -> None:
    kept = written("kept.csv", y=[0, 1] * 30)
    folder = Path("deep")
    folder.mkdir()
    path = written(y=[0, 1] * 30)
    outcome = command("init", path, "--test", kept, "-o", folder / "c.yaml")
    assert outcome.code == 0, outcome.err
    config = config_of("deep/c.yaml")
    assert config.split.test == 0
    assert "test: ../kept.csv" in Path("deep/c.yaml").read_text()
    assert command("train", "deep/c.yaml", "--dry-run").code == 0


def test_init_of_a_table_overwrites_nothing(command: Command) -> None:
    Path("t.yaml").write_text("mine")
    outcome = command("init", written(y=[0, 1] * 30))
    assert outcome.code == 2
    assert "never overwritten. Name another with -o" in outcome.err
    assert Path("t.yaml").read_text() == "mine"


def test_names_that_yaml_and_comments_could_break_on_are_safe(
    command: Command,
) -> None:
    columns: dict[str, Any] = {"# b: [x": ["u", "v"] * 30, "no": [0, 1] * 30}
    path = written(**columns)
    outcome = command("init", path, "--target", "no")
    assert outcome.code == 0, outcome.err
    assert config_of().dataset.arguments["target"] == "no"  # type: ignore[union-attr]
    assert command("train", "t.yaml", "--dry-run").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["t.csv", "--target", "z"], "expected a column 'z' as target"),
        (["gone.csv"], "gone.csv"),
        (["t.csv", "spiral"], "expected one table and nothing else"),
        (["spiral", "--target", "y"], "expected a table beside --target"),
        (["t.csv", "-o", "t.txt"], "expected -o NAME.yaml"),
        (["t.csv", "--test", "gone.csv"], "found no file"),
        (["t.csv", "--target", "one"], "'one'"),
        (["few.csv"], "expected at least 8 rows"),
        (["t.csv", "--target", "hole"], "expected a target in each row, got none in 1"),
    ],
)
def test_init_refuses_what_it_cannot_use(
    command: Command, arguments: list[str], message: str
) -> None:
    Path("few.csv").write_text("a,y\n1,p\n2,q\n")
    written(one=["k"] * ROWS, hole=["", *"ab" * 29, "a"], y=[0, 1] * 30)
    outcome = command("init", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert not list(Path().glob("*.yaml"))


def test_list_shows_examples_and_copies_none(command: Command) -> None:
    outcome = command("init", "--list", "--json")
    assert {each["name"] for each in outcome.json()} == set(examples())
    assert "spiral" in command("init", "--list").out
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", ["iris", "penguins", "cars"])
def test_example_brings_its_table(command: Command, name: str) -> None:
    facts = command("init", name, "--json").json()
    assert [each["file"] for each in facts] == [f"{name}.yaml", f"{name}.csv"]
    assert Path(f"{name}.csv").read_bytes() == (DATASETS / f"{name}.csv").read_bytes()
    assert command("train", f"{name}.yaml", "--dry-run").code == 0


def test_file_wins_over_the_example_of_its_name(command: Command) -> None:
    written("iris", y=[0, 1] * 30)
    assert command("init", "iris", "--json").json()["rows"] == ROWS
