"""Sources: a run by its path or its name, a checkpoint, a config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.core.errors import UsageError
from nncli.model import Model
from nncli.runs.directory import RunDirectory
from nncli.runs.sources import find_checkpoint, find_run, load_source
from tests.cli.plugins import write_plugin
from tests.command import Command
from tests.conftest import SMALL

Write = Callable[..., Path]


@pytest.fixture
def run(
    command: Command,
    write_config: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> RunDirectory:
    """Return a run in ./runs, the working directory of the test."""
    monkeypatch.chdir(tmp_path)
    command.train(write_config(), "layers[0].units=7", "training.epochs=2")
    return RunDirectory(Path("runs/small-1"))


def sources(run: RunDirectory) -> list[str]:
    """Return everything that a run may be called by."""
    return [str(run.path), run.path.name, str(run.best), str(run.path.absolute())]


@pytest.mark.parametrize(
    "verb",
    [
        ["summary", "{}"],
        ["config", "show", "{}"],
        ["config", "validate", "{}"],
        ["gradcheck", "{}"],
        ["lr-find", "{}", "--steps", "50"],
        ["train", "{}", "--dry-run"],
    ],
    ids=lambda verb: verb[0] + verb[1].strip("{}"),
)
def test_verbs_take_a_run_for_its_config(
    command: Command, run: RunDirectory, verb: list[str]
) -> None:
    given = run.path.name
    outcome = command(*(part.format(given) for part in verb), "--json")
    assert outcome.code == 0, outcome.err
    result = outcome.json()
    if verb[0] == "summary":
        assert result["layers"][0]["output_shape"] == [7]
    if verb[:2] == ["config", "show"]:
        assert result["layers"][0]["units"] == 7


@pytest.mark.parametrize("name", ["plain", "v1.2"])
def test_run_is_taken_by_any_name_of_its_directory(
    command: Command, run: RunDirectory, name: str
) -> None:
    run.path.rename(run.path.parent / name)
    for verb in (["gradcheck"], ["data", "describe"], ["summary"], ["eval"]):
        outcome = command(*verb, name, "--json")
        assert outcome.code == 0, outcome.err
    assert Model.load(name).parameters


def test_cross_validation_goes_on_by_its_name(
    command: Command, run: RunDirectory
) -> None:
    found = ["cv", "--resume", "small-cv-1"]
    assert "found nothing there" in command(*found).err
    whole = Path("runs/small-cv-1")
    whole.mkdir()
    for file in ("cv.json", "resolved.yaml"):
        (whole / file).write_text("{}", encoding="utf-8")
    assert "runs/small-cv-1/cv.json: expected folds" in command(*found).err
    assert "Did you mean 'small-cv-1'?" in command(*found[:-1], "smal-cv-1").err


def test_every_name_of_a_run_gives_its_config(run: RunDirectory) -> None:
    for given in sources(run):
        config = load_source(given, ["seed=9"]).config
        assert (config.layers[0].arguments["units"], config.seed) == (7, 9)
        assert config.name == "small"


def test_eval_and_load_take_every_name_of_a_run(
    command: Command, run: RunDirectory
) -> None:
    weights = []
    for given in sources(run):
        assert command("eval", given, "--json").json()["split"] == "validation"
        weights.append(Model.load(given).flat.values.tobytes())
    assert len(set(weights)) == 1


def test_a_bare_name_is_looked_up_among_the_runs(
    run: RunDirectory, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    run.path.rename(tmp_path / "elsewhere" / "mine")
    assert find_run("mine", Path("elsewhere")).path == Path("elsewhere/mine")
    assert find_checkpoint("mine", Path("elsewhere")).name == "best.safetensors"
    with pytest.raises(UsageError):
        find_run("mine")
    # A directory that is no run does not hide one.
    (tmp_path / "mine").mkdir()
    assert find_run("mine", Path("elsewhere")).path == Path("elsewhere/mine")


@pytest.mark.parametrize(
    "arguments",
    [
        ["eval"],
        ["summary"],
        ["gradcheck"],
        ["config", "show"],
        ["train", "--resume"],
        ["train", "x.yaml", "--from"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("given", ["smal-1", "runs/smal-1"])
def test_a_missing_run_is_wrong_usage_and_near_names_are_told(
    command: Command,
    run: RunDirectory,
    write_config: Write,
    arguments: list[str],
    given: str,
) -> None:
    write_config(name="x.yaml")
    outcome = command(*arguments, given)
    assert outcome.code == 2
    assert f"{given}: expected a" in outcome.err
    assert "Did you mean 'small-1'?" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["plot"], "got something else (it has no checkpoints/)."),
        (["summary"], "got something else (it has no checkpoints/)."),
        (["eval"], "got a cross-validation. Name one of its folds: runs/x/fold-1"),
        (["doctor"], "got a cross-validation. Name one of its folds: runs/x/fold-1"),
        (["report"], "got something else (it is no directory)."),
        (["train"], "got something else (it is no directory)."),
    ],
)
def test_what_is_no_run_is_wrong_usage_and_told_as_what_it_is(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Path("runs", "x")
    place.mkdir(parents=True)
    if "cross" in what:
        (place / "cv.json").touch()
    elif "directory" in what:
        place.rmdir()
        place.touch()
    outcome = command(*arguments, "x")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: runs/x: expected a ")
    assert outcome.err.endswith(f"{what}\n")


def test_a_missing_config_is_told_with_near_files(
    command: Command, run: RunDirectory
) -> None:
    outcome = command("train", "confg.yaml")
    assert outcome.code == 2
    assert "Did you mean 'config.yaml'?" in outcome.err
    assert "Check the path." in command("train", "other/qqq.yaml").err


def test_a_config_in_place_of_a_run_is_told_as_that(
    command: Command, write_config: Write
) -> None:
    outcome = command("eval", write_config())
    assert outcome.code == 2
    assert "got a config. Train it first: nncli train" in outcome.err


@pytest.mark.usefixtures("own_registries")
def test_a_run_goes_on_with_the_plugins_it_began_with(
    command: Command, write_config: Write, tmp_path: Path
) -> None:
    plugin = write_plugin(tmp_path)
    text = SMALL.replace("tanh", "my_cube") + "plugins: [cube.py]\n"
    command.train(write_config(text), "--allow-plugins", "training.epochs=2")
    run = RunDirectory(command.runs / "small-1")
    assert (run.plugins / "cube.py").read_bytes() == plugin.read_bytes()
    scores = ["eval", run.path, "--allow-plugins", "--json"]
    before = command(*scores).json()
    # The file changes, and is then gone.
    plugin.write_text("1 / 0\n", encoding="utf-8")
    after = command(*scores).json()
    assert after | {"evaluated": before["evaluated"]} == before
    plugin.unlink()
    more = ["--resume", run.path, "training.epochs=3", "--allow-plugins"]
    assert command("train", *more).code == 0
    assert command("summary", run.path, "--allow-plugins").code == 0
    assert Model.load(run.path, allow_plugins=True).parameters
    # A new run from this one's config has the plugin too; another one is another.
    command.train(run.path, "--allow-plugins", "training.epochs=1")
    assert (command.runs / "small-2" / "plugins" / "cube.py").exists()
    other = ["plugins=[cube.py]", "--allow-plugins"]
    assert "found none at" in command("summary", run.path, *other).err
