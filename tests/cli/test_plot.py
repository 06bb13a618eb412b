"""nncli plot: in the terminal, into files; and the pictures that a training leaves."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.cli.views import LogWriter
from nncli.experiment.experiment import Experiment
from nncli.report.plots.kinds.confusion import Confusion
from nncli.report.plots.kinds.curves import Curves
from nncli.report.plots.kinds.residuals import Residuals
from nncli.runs.directory import RunDirectory
from nncli.runs.locks import held_in_turn
from nncli.training.callbacks import Row
from nncli.training.trainer import Trainer
from tests.command import Command
from tests.runs.made import make_run

pytest.importorskip("matplotlib")


def test_plot_draws_curves_in_the_terminal(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    make_run(tmp_path, "a-1")
    make_run(tmp_path, "a-2", losses=(0.4, 0.3))
    out = command("plot", "a-1", "a-2", "--runs-dir", tmp_path).out
    assert "\x1b" not in out
    assert out.startswith("loss\n")
    assert "\naccuracy\n" in out
    assert "a-1: validation" in out
    assert max(map(len, out.splitlines())) <= 60


@pytest.mark.slow
def test_plot_writes_what_the_name_of_the_file_says(
    command: Command, tmp_path: Path
) -> None:
    make_run(tmp_path, "a-1")
    beginnings = {"x.png": b"\x89PNG", "x.svg": b"<?xml", "deep/x.pdf": b"%PDF"}
    for name, beginning in beginnings.items():
        path = tmp_path / name
        outcome = command("plot", "a-1", "--runs-dir", tmp_path, "-o", path)
        assert outcome.out == f"drawn: {path}\n"
        assert path.read_bytes().startswith(beginning)


@pytest.mark.slow
def test_plot_writes_all_that_applies_into_a_directory(
    command: Command, tmp_path: Path
) -> None:
    make_run(tmp_path, "a-1")
    folder = tmp_path / "pictures"
    outcome = command("plot", "a-1", "--runs-dir", tmp_path, "-o", folder, "--json")
    assert outcome.json()["written"] == [str(folder / "curves.png")]
    assert [path.name for path in folder.iterdir()] == ["curves.png"]
    # Why the others are not there.
    assert outcome.err.startswith("note: regions: ")


def test_plot_gives_numbers_as_json(command: Command, tmp_path: Path) -> None:
    run = make_run(tmp_path, "a-1")
    (kind,) = command("plot", run.path, "--json").json()["kinds"]
    assert kind["kind"] == "curves"
    loss = kind["panels"][0]
    assert (loss["panel"], loss["title"]) == ("lines", "loss")
    assert loss["series"][0]["y"] == [0.9, 0.5, 0.7]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-k", "curve"], "Did you mean 'curves'?"),
        (["-o", "x.jpg"], "ends in .png, .svg, .pdf, got .jpg"),
        (["-k", "curves", "-k", "roc", "-o", "x.png"], "expected one kind for a file"),
        (["a-2", "-k", "confusion"], "expected one run for confusion, got 2"),
        (["a-3"], "a-3: expected a run directory"),
        (["--split", "test"], "rows beside --split test, got curves. There"),
        (["-k", "filters", "--split", "test"], "beside --split test, got filters"),
    ],
)
def test_plot_says_what_cannot_be_asked_for(
    command: Command, tmp_path: Path, arguments: list[str], told: str
) -> None:
    make_run(tmp_path, "a-1")
    make_run(tmp_path, "a-2")
    outcome = command("plot", "a-1", *arguments, "--runs-dir", tmp_path)
    assert outcome.code == 2
    assert told in outcome.err


def test_plot_says_that_a_kind_does_not_apply(command: Command, tmp_path: Path) -> None:
    make_run(tmp_path, "a-1")
    outcome = command("plot", "a-1", "-k", "gradients", "--runs-dir", tmp_path)
    assert outcome.code == 1
    assert "expected something to draw for gradients" in outcome.err


def test_training_leaves_pictures(
    command: Command, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [Curves(), Confusion(), Residuals()]
    monkeypatch.setattr("nncli.report.plots.pictures.kinds", lambda: some)
    outcome = command.train(write_config(), "--plots")
    plots = command.runs / "small-1" / "plots"
    names = {path.stem for path in plots.iterdir()}
    assert names == {"curves", "confusion"}
    assert outcome.err.endswith(f"2 pictures in {plots}\n")
    assert outcome.out.splitlines()[-1].startswith("next: nncli eval ")


def test_training_that_diverged_leaves_pictures(
    command: Command, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.report.plots.pictures.kinds", lambda: [Curves()])
    later = "schedule={type: piecewise, boundaries: [3], factors: [1, 1e25]}"
    outcome = command.train(
        write_config(), "layers[1]=relu", later, "--plots", expect=4
    )
    plots = command.runs / "small-1" / "plots"
    assert f"1 picture in {plots}\nerror: step " in outcome.err
    assert (plots / "curves.png").exists()


def test_training_without_a_row_leaves_no_picture(
    command: Command, write_config: Callable[..., Path]
) -> None:
    changes = ("optimizer={type: sgd, lr: 1e20}", "layers[1]=relu", "--plots")
    outcome = command.train(write_config(), *changes, expect=4)
    assert "picture" not in outcome.err
    assert not (command.runs / "small-1" / "plots").exists()


@pytest.mark.parametrize("watched", [False, True])
def test_who_stops_a_training_does_not_wait_for_pictures(
    *,
    watched: bool,
    command: Command,
    write_config: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(_view: LogWriter, _trainer: Trainer, _row: Row) -> None:
        signal.raise_signal(signal.SIGINT)

    later: list[str] = []

    def draw_later(run: RunDirectory, _experiment: Experiment) -> bool:
        later.append(run.path.name)
        return watched

    monkeypatch.delenv("NNCLI_PLOTS")
    monkeypatch.setattr(LogWriter, "on_row", stop)
    monkeypatch.setattr("nncli.cli.training.draw_later", draw_later)
    outcome = command.train(write_config(), expect=130)
    assert later == ["small-1"]
    assert not (command.runs / "small-1" / "plots").exists()
    assert "stopped after step" in outcome.err


@pytest.mark.slow
def test_training_at_a_terminal_does_not_wait_for_pictures(
    command: Command, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NNCLI_PLOTS")
    monkeypatch.setattr("nncli.cli.pictures.watched", lambda: True)
    monkeypatch.setattr("nncli.report.plots.pictures.kinds", lambda: [Curves()])
    plots = command.runs / "small-1" / "plots"
    outcome = command.train(write_config())
    assert outcome.err.endswith(f"pictures: being drawn into {plots}\n")
    # One at a time: where one is at work, a training draws by itself.
    outcome = command.train(write_config())
    assert outcome.err.endswith(f"1 picture in {command.runs}/small-2/plots\n")
    # Who goes on with a run waits until it is drawn, and then draws it again.
    with held_in_turn(plots):
        drawn = {path.stem for path in plots.iterdir()}
    assert {"curves", "confusion", "calibration"} < drawn


def test_training_draws_by_itself_where_no_process_can_be_started(
    command: Command, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NNCLI_PLOTS")
    monkeypatch.setattr("nncli.cli.pictures.watched", lambda: True)
    monkeypatch.setattr("nncli.report.plots.pictures.kinds", lambda: [Curves()])
    monkeypatch.setattr("nncli.cli.children.open_module", raising(OSError("no")))
    outcome = command.train(write_config())
    assert outcome.err.endswith(f"1 picture in {command.runs}/small-1/plots\n")


def test_training_goes_well_where_nothing_can_be_drawn(
    command: Command, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise ValueError("no\nink")

    config = write_config()
    with monkeypatch.context() as patch:
        patch.setattr("nncli.report.plots.figure.has_matplotlib", lambda: False)
        outcome = command.train(config, "--plots")
    line = 'note: no pictures: they need matplotlib: pip install "nncli[plot]"'
    assert outcome.err.splitlines()[-1] == line
    assert not (command.runs / "small-1" / "plots").exists()

    monkeypatch.setattr("nncli.report.plots.pictures.picture", fail)
    monkeypatch.setattr(Curves, "panels", fail)
    outcome = command.train(config, "--plots", "--json")
    assert outcome.json()["status"] == "finished"
    (line,) = [each for each in outcome.err.splitlines() if "not drawn" in each]
    assert line.startswith("note: not drawn: curves: ValueError: no; ")

    (command.runs / "small-3" / "checkpoints").mkdir(parents=True)
    patched = "nncli.report.plots.pictures.check_matplotlib"
    for error in (KeyboardInterrupt(), OSError("disk\nfull")):
        monkeypatch.setattr(patched, raising(error))
        outcome = command.train(config, "--plots")
        assert outcome.err.splitlines()[-1].startswith("note: ")


def raising(error: BaseException) -> Callable[..., None]:
    """Return a function that raises."""

    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    return fail


def test_training_draws_nothing_unless_it_is_to(
    command: Command, write_config: Callable[..., Path]
) -> None:
    command.train(write_config(), "--no-plots")
    assert not (command.runs / "small-1" / "plots").exists()
