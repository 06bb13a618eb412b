"""Views: what is shown of a training while it goes on."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.color import ColorType
from rich.console import Console

from nncli.cli import console, views
from nncli.cli.console import note
from nncli.cli.views import LiveView, sparkline
from nncli.core.text import duration, number
from nncli.runs.directory import RunDirectory
from nncli.training.callbacks import Row
from nncli.training.progress import PlainView, row_line
from nncli.training.trainer import Trainer
from tests.command import Command, command_line, environment
from tests.conftest import CONFIGS
from tests.training.jobs import experiment, run_of

ROW: Row = {
    "epoch": 1,
    "step": 4,
    "lr": 3e-5,
    "train": {"loss": 0.25, "accuracy": 0.5},
    "validation": {"loss": 123.456, "accuracy": None},
}


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("nncli.cli.views.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def trainer(*overrides: str) -> Trainer:
    return Trainer(experiment(*overrides), None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.0000"),
        (0.12345678, "0.1235"),
        (-1.5, "-1.5000"),
        (12.345, "12.35"),
        (99999.0, "99999.00"),
        (1e5, "1.000e+05"),
        (0.000123456, "1.235e-04"),
    ],
)
def test_number_has_four_digits_that_matter(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (12.34, "12.3 s"), (245, "4:05"), (3723, "1:02:03")],
)
def test_duration_reads_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sparkline_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 40) == "▁▂▃▄▅▆▇█"
    assert sparkline([7, 0], 40) == "█▁"
    assert sparkline([2.0, 2.0, 2.0], 40) == "▁▁▁"
    assert sparkline([1.0], 40) == "▁"


def test_sparkline_of_many_values_takes_means() -> None:
    assert sparkline([0, 0, 7, 7, 0, 0], 3) == "▁█▁"
    values = [float(i) for i in range(1003)]
    line = sparkline(values, 40)
    assert len(line) == 40
    assert list(line) == sorted(line)


def test_line_of_a_log_has_the_mean_loss_of_the_steps() -> None:
    line = row_line(trainer(), ROW | {"step_loss": 0.625})
    assert "accuracy -  steps: loss 0.6250  lr" in line


def test_plain_view_is_a_table(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    view, training = PlainView(note), trainer()
    view.on_start(training)
    training.progress.best_step = ROW["step"]
    view.on_row(training, ROW)
    head, row = capsys.readouterr().err.splitlines()
    assert head.split() == [
        *("epoch", "train:", "loss", "accuracy"),
        *("validation:", "loss", "accuracy", "lr"),
    ]
    assert row.split() == [
        *("1/5", "0.2500", "0.5000", "123.46", "-", "3.000e-05", "best")
    ]
    for word, cell in (("train: loss", "0.2500"), ("lr", "3.000e-05")):
        assert head.index(word) + len(word) == row.index(cell) + len(cell)


def test_plain_view_shows_a_row_every_five_seconds_and_the_last(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    view, training = PlainView(note), trainer("training.epochs=1000")
    view.on_start(training)
    for epoch in range(1, 1001):
        clock.now += 0.1
        view.on_row(training, ROW | {"epoch": epoch})
    view.on_end(training)
    lines = capsys.readouterr().err.splitlines()[1:]
    shown = [int(line.split("/")[0]) for line in lines]
    assert shown[0] == 1
    assert shown[-1] == 1000
    assert 20 <= len(shown) <= 22


def test_plain_view_shows_the_best_row_since_the_last_line(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    view, training = PlainView(note), trainer("training.epochs=1000")
    view.on_start(training)
    for epoch in range(1, 101):
        clock.now += 0.1
        if epoch in (1, 7, 23, 31, 100):
            training.progress.best_epoch = epoch
            training.progress.best_step = epoch
        view.on_row(training, ROW | {"epoch": epoch, "step": epoch})
    view.on_end(training)
    lines = capsys.readouterr().err.splitlines()[1:]
    shown = [int(line.split("/")[0]) for line in lines]
    assert shown in ([1, 31, 51, 100], [1, 31, 52, 100])
    assert [line.endswith("best") for line in lines] == [True, True, False, True]


def test_trainings_evaluated_by_steps_are_told_in_steps(command: Command) -> None:
    steps = ["training.steps=40", "training.epochs=null", "training.evaluate_steps=10"]
    outcome = command.train(CONFIGS / "digits.yaml", *steps)
    head, *lines = outcome.err.splitlines()
    assert head.split()[0] == "step"
    assert lines[-1].split()[0] == "40/40"
    assert re.search(r"after step [0-9]0\n", outcome.out)
    log = (command.runs / "digits-1" / "train.log").read_text(encoding="utf-8")
    assert re.search(r" step 40/40 .*\n.* end at step 40\n$", log)


def test_plain_view_leaves_out_scores_that_have_no_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ["balanced_accuracy", "calibration_error", "average_precision"]
    PlainView(note).on_start(trainer(f"metrics=[{', '.join(names)}]"))
    head = capsys.readouterr().err
    assert re.split("  +", head.strip())[1:] == [
        "train: loss",
        "validation: loss",
        "balanced_accuracy",
        "lr",
    ]


def test_quiet_shows_no_progress(command: Command) -> None:
    outcome = command.train(CONFIGS / "xor.yaml", "training.epochs=2", "--quiet")
    assert outcome.err == ""
    assert "next: nncli eval" in outcome.out
    arguments = "training.epochs=1", "-q", "--json"
    assert command.train(CONFIGS / "xor.yaml", *arguments).err == ""


def test_live_view_shows_no_time_left_after_a_divergence(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, training = LiveView(), trainer()
    Screen(view, clock, monkeypatch)
    view.on_start(training)
    clock.now += 10
    training.progress.step = 8
    view.on_end(training)
    assert view._left(training) == "in 10.0 s"
    # What went wrong is told below the panel, which stays.
    assert not view._live.transient


def test_bars_take_the_colours_of_the_terminal() -> None:
    for name in ("bar.back", "bar.complete", "bar.finished"):
        color = console.err().get_style(name).color
        assert color is not None
        assert color.type == ColorType.STANDARD


class Screen:
    """Stands for the terminal of a live view: notes when it was drawn on.

    Attributes:
        drawn: The times.
    """

    def __init__(
        self, view: LiveView, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.drawn: list[float] = []
        self.clock = clock
        self.cost = 0.0
        monkeypatch.setattr(view._live, "start", lambda: None)
        monkeypatch.setattr(view._live, "update", self.update)

    def update(self, *_: object, **__: object) -> None:
        self.drawn.append(self.clock.now)
        self.clock.now += self.cost


def test_live_view_draws_at_most_ten_times_a_second(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, training = LiveView(), trainer()
    screen = Screen(view, clock, monkeypatch)
    view.on_start(training)
    for _ in range(5000):
        clock.now += 0.001
        view.on_step(training)
    assert 49 <= len(screen.drawn) <= 51


def test_live_view_takes_a_slow_terminal_little_of_the_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, training = LiveView(), trainer()
    screen = Screen(view, clock, monkeypatch)
    screen.cost = 0.5
    begin = clock.now
    view.on_start(training)
    while clock.now < begin + 1000:
        clock.now += 0.01
        view.on_step(training)
    assert 9 <= len(screen.drawn) <= 11


@pytest.mark.parametrize("terminal", ["TMUX", "NO_SUCH"])
def test_lines_that_a_narrower_window_has_broken_are_taken_away(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, terminal: str
) -> None:
    for name in views.REFLOWING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(terminal, "1")
    view, training = LiveView(), trainer()
    view._console = view._live.console = Console(
        file=io.StringIO(), width=60, force_terminal=True, color_system=None
    )
    view.on_start(training)
    drawn = []
    for width in (60, 30):
        view._console.width = width
        view._console.file = file = io.StringIO()
        clock.now += 100
        view.on_row(training, ROW)
        view.on_step(training)
        drawn.append(file.getvalue())
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", drawn[0]).split("\n")
    broken = sum(len(line) > 30 for line in lines)
    assert broken >= 1
    up = drawn[1].count("\x1b[1A")
    assert up == len(lines) - 1 + (broken if terminal == "TMUX" else 0)


def test_live_view_says_how_much_time_is_left(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, training = LiveView(), trainer()
    Screen(view, clock, monkeypatch)
    # A resumed run: of 20 steps, 4 were made before and 4 in these ten seconds.
    training.progress.step = 4
    view.on_start(training)
    assert view._left(training) == ""
    clock.now += 10
    training.progress.step = 8
    assert view._left(training) == "30.0 s left"
    training.progress.step = 20
    assert view._left(training) == "in 10.0 s"


def resize(terminal: int, width: int) -> None:
    size = struct.pack("HHHH", 24, width, 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def screen(width: int, *arguments: object, shrink: bool = False) -> list[str]:
    """Run a command in a terminal of a width and return its lines, drawn over too.

    Args:
        width: In columns.
        arguments: Of the command.
        shrink: Take a column away at each of its outputs.
    """
    ours, theirs = pty.openpty()
    resize(theirs, width)
    with subprocess.Popen(
        command_line(*arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment() | {"TERM": "xterm-256color"},
    ) as process:
        os.close(theirs)
        data = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            data += part
            if not part:
                break
            if shrink:
                width = max(1, width - 1)
                resize(ours, width)
        os.close(ours)
    assert process.returncode == 0, data.decode()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", text)]


@pytest.mark.slow
def test_live_view_never_wraps(tmp_path: Path) -> None:
    config, width = CONFIGS / "two_ellipses.yaml", 48
    # The report at the end is no part of the view, and longer where it stops early.
    whole = "training.early_stopping=null"
    runs = ("--name", "e", "--runs-dir", tmp_path / "r")
    lines = screen(width, "train", config, whole, *runs)
    own = [line for line in lines if str(tmp_path) not in line]
    assert max(map(cell_len, own)) <= width
    text = "\n".join(own)
    for word in ("train ", "validation ", "loss", "accuracy", "lr 0.0", "best loss"):
        assert word in text
    assert re.search(r"epoch [0-9]+/200 [0-9]+%", text)
    assert re.search(r"validation loss [▁▂▃▄▅▆▇█]{8,}", text)


@pytest.mark.parametrize("width", [1, 3, 7, 12, 19])
def test_narrow_terminal_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, width: int
) -> None:
    view, training = LiveView(), trainer()
    view._console.width = width
    view._console.file = io.StringIO()
    view.on_start(training)
    for _ in range(3):
        view.on_row(training, ROW)
        training.progress.best = 0.25
        clock.now += 1
        view.on_step(training)
    view.on_end(training)
    assert view._console.file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "shrink"), [(60, True), (6, False)])
def test_terminal_that_shrinks_or_is_tiny_breaks_no_training(
    tmp_path: Path, width: int, shrink: bool
) -> None:
    config = CONFIGS / "two_ellipses.yaml"
    runs = tmp_path / "r"
    lines = screen(width, "train", config, "--runs-dir", runs, shrink=shrink)
    assert not any("failed" in line for line in lines)
    run = RunDirectory(runs / "two_ellipses-1")
    assert json.loads(run.summary.read_text())["status"] == "finished"


@pytest.mark.slow
def test_live_view_ends_with_what_was_reached(tmp_path: Path) -> None:
    lines = screen(80, "train", CONFIGS / "xor.yaml", "--runs-dir", tmp_path / "r")
    own = [line for line in lines if str(tmp_path) not in line]
    assert max(map(cell_len, own)) <= 80
    run = RunDirectory(tmp_path / "r" / "xor-1")
    last = max(i for i, line in enumerate(lines) if "epoch 100/100 100%" in line)
    panel = "\n".join(lines[last : last + 6])
    assert " in " in panel
    row = run.rows()[-1]
    for part in ("train", "validation"):
        assert number(row[part]["loss"]) in panel
        assert number(row[part]["accuracy"]) in panel


def test_live_view_goes_on_with_the_rows_of_a_resumed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, run = run_of(tmp_path)
    Trainer(made, run).fit()
    view = LiveView()
    Screen(view, Clock(monkeypatch), monkeypatch)
    view.on_start(Trainer(made, run))
    assert view._losses == [row["validation"]["loss"] for row in run.rows()]
    assert view._row == run.rows()[-1]


def test_view_is_live_only_where_a_person_watches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(views.make_view(), PlainView)
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    assert isinstance(views.make_view(), LiveView)
