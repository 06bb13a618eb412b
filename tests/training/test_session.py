"""Session: what a run begins with, and what is accepted of one that goes on."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli.config.load import load_config
from nncli.core.errors import DivergedError, NncliError, RunError, UsageError
from nncli.experiment.build import build
from nncli.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nncli.runs.directory import RunDirectory
from nncli.training.callbacks import Callback, Row
from nncli.training.resume import resume_run
from nncli.training.session import create_run, edited_configs, restore_checkpoint
from nncli.training.state import Progress, capture, restore
from nncli.training.trainer import Trainer
from tests.conftest import SMALL
from tests.training.jobs import StopAt, assert_same_bits, experiment, run_of, state_of

NOISY = "layers=[{type: dense, units: 6}, batch_norm, relu, dropout, "
NOISY += "{type: dense, units: 2}]"


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a run that was interrupted in its third epoch."""
    parent = tmp_path_factory.mktemp("interrupted")
    made, run = run_of(parent, NOISY, "transforms=[standardize]")
    Trainer(made, run, [StopAt(10)]).fit()
    return run.path


@pytest.fixture
def stopped(tmp_path: Path, interrupted: Path) -> RunDirectory:
    """Return a copy of the run that was interrupted."""
    return RunDirectory(shutil.copytree(interrupted, tmp_path / interrupted.name))


Change = Callable[[Checkpoint], object]


def changed(run: RunDirectory, change: Change) -> Path:
    """Change the last checkpoint of a run, digest included."""
    checkpoint = load_checkpoint(run.last)
    change(checkpoint)
    save_checkpoint(run.last, checkpoint)
    return run.last


def refused(run: RunDirectory, change: Change) -> str:
    """Return the message with which a changed checkpoint is refused."""
    path = changed(run, change)
    with pytest.raises(NncliError) as caught:
        restore_checkpoint(path, allow_plugins=False)
    with pytest.raises(type(caught.value)):
        resume_run(run, [], allow_plugins=False)
    assert str(caught.value)
    return str(caught.value)


def test_run_begins_with_all_its_files(
    tmp_path: Path, write_config: Callable[[str], Path]
) -> None:
    text = f"# a comment\n{SMALL}"
    loaded = load_config(write_config(text), [])
    made = build(loaded)
    run = create_run(made, loaded, tmp_path / "runs", ["nncli", "train", "x"])
    assert run.path.name == "small-1"
    assert run.config.read_text(encoding="utf-8") == text
    assert run.metrics.read_bytes() == b""
    assert not run.best.exists()
    manifest = json.loads(run.manifest.read_text(encoding="utf-8"))
    assert manifest["command"] == ["nncli", "train", "x"]
    assert manifest["seed"] == 3
    assert manifest["data_sha256"] == made.data_sha256
    assert {"nncli", "python", "numpy", "blas", "threads", "cpus"} <= set(manifest)
    first = load_checkpoint(run.last)
    assert first.meta["progress"] == dataclasses.asdict(Progress())
    assert_same_bits(first.arrays, capture(made, Progress()).arrays)


@pytest.mark.parametrize("changes", [[], ["optimizer.lr=0.5", "name=other"]])
def test_run_keeps_a_config_that_makes_the_same_experiment(
    tmp_path: Path, write_config: Callable[[str], Path], changes: list[str]
) -> None:
    # Without a name of its own, a config is called after its file.
    loaded = load_config(write_config(SMALL.replace("name: small\n", "")), changes)
    made = build(loaded)
    run = create_run(made, loaded, tmp_path / "runs", [])
    again = build(load_config(run.resolved, []))
    assert again.config.name == made.config.name == ("other" if changes else "config")
    # How many threads and shards are used is decided when a run is made.
    again.threads, again.shards = made.threads, made.shards
    meta, expected = (capture(part, Progress()).meta for part in (again, made))
    assert meta == expected
    assert_same_bits(
        capture(again, Progress()).arrays, capture(made, Progress()).arrays
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_run_keeps_the_bytes_of_its_file_with_overrides_on_top(
    tmp_path: Path, mark: bytes
) -> None:
    text = mark + b"# Mine.\r\n" + SMALL.replace("\n", "\r\n").encode()
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    for changes in ([], ["optimizer.lr=0.5", "layers[1]={type:\nrelu}"]):
        loaded = load_config(path, changes)
        run = create_run(build(loaded), loaded, tmp_path / "runs", [])
        kept = run.config.read_bytes()
        assert kept.endswith(text.removeprefix(mark))
        assert kept.startswith(mark)
        assert load_config(run.config, []).config.optimizer.lr == 0.02
        top = kept.removesuffix(text.removeprefix(mark)).removeprefix(mark).decode()
        expected = ["# Changed on the command line:", "# optimizer.lr=0.5"]
        assert top.splitlines()[:2] == (expected if changes else [])
        assert json.loads(run.manifest.read_text())["overrides"] == changes


def test_run_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, checkpoint: Checkpoint) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nncli.training.session.save_checkpoint", full)
    with pytest.raises(OSError, match="No space"):
        run_of(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_restored_experiment_is_as_it_was_left(stopped: RunDirectory) -> None:
    saved = load_checkpoint(stopped.last)
    restored = restore_checkpoint(stopped.last, allow_plugins=False)
    assert restored.progress.step == 10
    again = capture(restored.experiment, restored.progress)
    assert json.loads(json.dumps(again.meta)) == saved.meta
    assert_same_bits(again.arrays, saved.arrays)
    assert any(name.startswith("transforms.0.") for name in again.arrays)
    assert any(name.startswith("optimizer.") for name in again.arrays)
    assert "layers.1.running_mean" in again.arrays


def test_captured_state_is_a_copy() -> None:
    made = experiment()
    before = capture(made, Progress())
    made.network.flat.values += 1
    after = capture(made, Progress())
    assert not np.array_equal(
        before.arrays["layers.0.weight"], after.arrays["layers.0.weight"]
    )


def test_resume_drops_rows_after_the_checkpoint(stopped: RunDirectory) -> None:
    kept = stopped.metrics.read_bytes()
    for text in ('{"epoch": 3, "lost": 1}\n', '{"epoch": 4'):
        with stopped.metrics.open("a", encoding="utf-8") as file:
            file.write(text)
    resume_run(stopped, [], allow_plugins=False)
    assert stopped.metrics.read_bytes() == kept


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.beta1=0.5",
        "training.epochs",
        "training={}",
        "training.monitor=f1",
        "training.batch_size=59",
        "optimizer.lr=-1",
        "seed=1",
        "x",
    ],
)
def test_resume_changes_nothing_where_a_change_is_refused(
    stopped: RunDirectory, override: str
) -> None:
    before = stopped.config.read_bytes()
    if override == "training.epochs":
        override += "=0"
    with pytest.raises(NncliError):
        resume_run(stopped, ["training.epochs=9", override], allow_plugins=False)
    assert stopped.config.read_bytes() == before
    assert load_checkpoint(stopped.last).meta["config"]["training"]["epochs"] == 5


def finished(tmp_path: Path, *overrides: str) -> RunDirectory:
    made, run = run_of(tmp_path, *overrides)
    Trainer(made, run).fit()
    run.summary.write_text("{}", encoding="utf-8")
    return run


@pytest.mark.parametrize("changes", [[], ["training.epochs=5"], ["training.epochs=2"]])
def test_resume_of_a_finished_run_says_how_to_go_on(
    tmp_path: Path, changes: list[str]
) -> None:
    run = finished(tmp_path)
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match=r"training\.epochs=10"):
        resume_run(run, changes, allow_plugins=False)
    assert before == {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}


def test_resume_of_a_run_that_stopped_early_asks_for_a_new_one(tmp_path: Path) -> None:
    stopping = "training.early_stopping={patience: 1, min_delta: 10}"
    run = finished(tmp_path, stopping)
    for changes in ([], ["training.epochs=50"]):
        with pytest.raises(UsageError, match=r"stopped early.*patience"):
            resume_run(run, changes, allow_plugins=False)


def test_resume_finishes_a_run_that_only_lacks_its_summary(tmp_path: Path) -> None:
    run = finished(tmp_path)
    run.summary.unlink()
    assert resume_run(run, [], allow_plugins=False).progress.epoch == 5


def test_resume_with_more_epochs_keeps_them_if_it_is_killed_at_once(
    tmp_path: Path,
) -> None:
    run = finished(tmp_path)
    resume_run(run, ["training.epochs=8"], allow_plugins=False)
    again = resume_run(run, [], allow_plugins=False)
    assert again.experiment.config.training.epochs == 8
    assert "# training.epochs=8" in run.config.read_text(encoding="utf-8")
    assert "epochs: 8" in run.resolved.read_text(encoding="utf-8")


def test_resume_with_more_epochs_gives_the_bits_of_one_go(tmp_path: Path) -> None:
    run = finished(tmp_path, NOISY)
    restored = resume_run(run, ["training.epochs=9"], allow_plugins=False)
    longer = Trainer(restored.experiment, run)
    longer.progress = restored.progress
    longer.fit()
    whole = Trainer(experiment(NOISY, "training.epochs=9"), None)
    whole.fit()
    assert_same_bits(state_of(longer), state_of(whole))


def set_config(**values: Any) -> Change:
    return lambda checkpoint: checkpoint.meta["config"].update(values)


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


DENSE = {"type": "dense"}


@pytest.mark.parametrize(
    "values",
    [
        {"layers": [{**DENSE, "units": 10**12}]},
        {"layers": [{**DENSE, "units": 10**30}]},
        {"layers": [{**DENSE, "units": 10**6}, {**DENSE, "units": 10**6}]},
        {"layers": [{**DENSE, "units": -1}]},
        {"layers": nested(900)},
        {"layers": [{**DENSE, "units": nested(900)}]},
        {"optimizer": {"type": {"type": {"type": nested(800)}}}},
        {"layers": []},
        {"layers": None},
        {"layers": ["os.system"]},
        {"layers": [{**DENSE, "units": 3}]},
        {"dataset": {"type": "xor", "samples": 10**12}},
        {"dataset": {"type": "xor", "samples": 1e30}},
        {"dataset": {"type": "xor", "noise": 10**400}},
        {"dataset": {"type": "xor", "samples": 21, "noise": 0.3}},
        {"split": {"validation": 0.999}},
        {"seed": -1},
        {"seed": 2**70},
        {"precision": "float16"},
        {"precision": "float64"},
        {"optimizer": "sgd"},
        {"transforms": ["scale"]},
        {"training": {"epochs": 5, "batch_size": 3}},
        {"training": {"epochs": 0}},
        {"unknown": 1},
        {"plugins": "a.py"},
        {"plugins": [1]},
        {"name": "../../etc"},
    ],
    ids=lambda values: json.dumps(values)[:50],
)
def test_checkpoint_with_an_odd_config_is_refused_and_takes_no_memory(
    stopped: RunDirectory, values: dict[str, Any]
) -> None:
    tracemalloc.start()
    try:
        message = refused(stopped, set_config(**values))
        assert tracemalloc.get_traced_memory()[1] < 1e8
    finally:
        tracemalloc.stop()
    assert len(message) < 3000


def test_checkpoint_that_names_plugins_runs_none(
    stopped: RunDirectory, tmp_path: Path
) -> None:
    plugin = tmp_path / "evil.py"
    plugin.write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()\n")
    change = set_config(plugins=[str(plugin)])
    assert "--allow-plugins" in refused(stopped, change)
    with pytest.raises(UsageError) as caught:
        restore_checkpoint(stopped.last, allow_plugins=False)
    assert caught.value.exit_code == 2
    assert not Path(f"{plugin}.ran").exists()


def set_progress(**values: Any) -> Change:
    return lambda checkpoint: checkpoint.meta["progress"].update(values)


@pytest.mark.parametrize(
    "values",
    [
        {"epoch": -1},
        {"epoch": "3"},
        {"epoch": 10**30},
        {"epoch": 1.5},
        {"epoch": None},
        {"step": 11},
        {"batch": 4, "step": 12},
        {"batch": 10**9},
        {"rows": -1},
        {"rows": 10**9},
        {"best": "low"},
        {"best": [1]},
        {"stopped": "no"},
        {"surprise": 1},
        {"arguments": {}},
    ],
    ids=str,
)
def test_checkpoint_with_odd_progress_is_refused(
    stopped: RunDirectory, values: dict[str, Any]
) -> None:
    if "rows" in values and values["rows"] > 0:
        # Only the log of the run can tell.
        changed(stopped, set_progress(**values))
        with pytest.raises(RunError, match="rows"):
            resume_run(stopped, [], allow_plugins=False)
    else:
        message = refused(stopped, set_progress(**values))
        assert "expected" in message or "unknown key" in message


@pytest.mark.parametrize("value", [None, "x", [], 3, {}, {"state": 1}, True])
@pytest.mark.parametrize(
    "key", ["config", "progress", "generators", "optimizer_steps", "data_sha256"]
)
def test_checkpoint_with_odd_meta_is_refused(
    stopped: RunDirectory, key: str, value: Any
) -> None:
    if key == "optimizer_steps" and value in (3, True):
        value = -1
    if key == "progress" and value == {}:
        value = {"step": 1}
    refused(stopped, lambda checkpoint: checkpoint.meta.update({key: value}))
    refused(stopped, lambda checkpoint: checkpoint.meta.pop(key))


@pytest.mark.parametrize("value", [None, "a", -1, 2**128, 10**400, [], {}])
@pytest.mark.parametrize("key", ["state", "inc"])
def test_checkpoint_with_an_odd_generator_is_refused(
    stopped: RunDirectory, key: str, value: Any
) -> None:
    def change(checkpoint: Checkpoint) -> None:
        checkpoint.meta["generators"]["noise"]["state"][key] = value

    refused(stopped, change)


@pytest.mark.parametrize(
    "name",
    [
        "layers.0.weight",
        "layers.1.running_mean",
        "optimizer.moment",
        "transforms.0.mean",
    ],
)
def test_checkpoint_with_odd_arrays_is_refused_by_name(
    stopped: RunDirectory, name: str
) -> None:
    arrays = load_checkpoint(stopped.last).arrays
    if name == "optimizer.moment":
        name = next(key for key in arrays if key.startswith("optimizer."))
    whole = arrays[name]
    for odd in (whole[:1], whole.astype(np.int32), whole[None], None):

        def change(checkpoint: Checkpoint, odd: Any = odd) -> None:
            checkpoint.arrays.pop(name, None)
            if odd is not None:
                checkpoint.arrays[name] = odd

        assert name in refused(stopped, change)


def test_checkpoint_of_other_data_is_refused(
    stopped: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.data.table.Table.digest", lambda table: "another")
    with pytest.raises(RunError, match=r"dataset xor.*Bring back the old data"):
        restore_checkpoint(stopped.last, allow_plugins=False)


def test_data_digest_sees_every_number() -> None:
    first = experiment()
    assert experiment("training.epochs=9").data_sha256 == first.data_sha256
    for override in ("seed=4", "dataset.noise=0.30000001", "dataset.samples=21"):
        assert experiment(override).data_sha256 != first.data_sha256


def test_restore_gives_the_place_in_the_training(stopped: RunDirectory) -> None:
    made = experiment(NOISY, "transforms=[standardize]")
    at = restore(made, load_checkpoint(stopped.last))
    assert (at.epoch, at.batch, at.step, at.rows) == (2, 2, 10, 2)
    assert made.optimizer.steps == 10


class Diverging(Callback):
    """Ends a training by an error after some epochs."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_row(self, trainer: Trainer, row: Row) -> None:
        if row["epoch"] == self.epoch:
            raise DivergedError("too far")


def test_best_checkpoint_on_disk_is_not_replaced_by_a_worse_one(
    tmp_path: Path,
) -> None:
    made, run = run_of(tmp_path, "training.checkpoint_seconds=1000")
    with pytest.raises(DivergedError):
        Trainer(made, run, [Diverging(4)]).fit()
    assert load_checkpoint(run.last).meta["progress"]["best"] is None
    best = load_checkpoint(run.best)
    # It is better than all that comes after it.
    best.meta["progress"]["best"] /= 1000
    save_checkpoint(run.best, best)
    restored = resume_run(run, [], allow_plugins=False)
    assert restored.progress.best == best.meta["progress"]["best"]
    Trainer(restored.experiment, run, progress=restored.progress).fit()
    assert_same_bits(load_checkpoint(run.best).arrays, best.arrays)
    run.best.write_bytes(b"damaged")
    with pytest.raises(RunError, match="Without this file, the run can go on"):
        resume_run(run, ["training.epochs=6"], allow_plugins=False)
    run.best.unlink()
    restored = resume_run(run, ["training.epochs=6"], allow_plugins=False)
    assert restored.progress.best is None
    Trainer(restored.experiment, run, progress=restored.progress).fit()
    assert load_checkpoint(run.best).meta["progress"]["epoch"] == 6


def test_equal_runs_have_equal_checkpoints(tmp_path: Path) -> None:
    files = []
    for i in range(6):
        made, run = run_of(tmp_path / str(i), NOISY, "transforms=[standardize]")
        Trainer(made, run).fit()
        files.append((run.last.read_bytes(), run.best.read_bytes()))
    assert len(set(files)) == 1


def test_config_that_was_edited_in_a_run_is_found(stopped: RunDirectory) -> None:
    assert edited_configs(stopped) == []
    text = stopped.config.read_bytes()
    stopped.config.write_bytes(text + b"# more\n")
    assert edited_configs(stopped) == [stopped.config]
    stopped.resolved.write_bytes(b"")
    assert edited_configs(stopped) == [stopped.config, stopped.resolved]
    resume_run(stopped, ["training.epochs=20"], allow_plugins=False)
    # What somebody wrote into it is still there.
    assert edited_configs(stopped) == [stopped.config]
    # As it was before, which a run that was killed just then may still have.
    stopped.config.write_bytes(text)
    assert edited_configs(stopped) == []
    for damage in (b"", b"[]", b'{"configs_sha256": 3}', b"[" * 10**5):
        stopped.manifest.write_bytes(damage)
        assert edited_configs(stopped) == []


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Progress)])
def test_progress_without_a_key_is_refused(stopped: RunDirectory, name: str) -> None:
    text = refused(stopped, lambda c: c.meta["progress"].pop(name))
    assert "expected the progress of a training (epoch, batch" in text


def test_run_of_a_file_that_is_a_pipe_is_refused_at_once(stopped: RunDirectory) -> None:
    for path in (stopped.metrics, stopped.last):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises((RunError, OSError), match="a pipe, not a file"):
            resume_run(stopped, [], allow_plugins=False)
    with pytest.raises(RunError, match="a pipe, not a file"):
        load_checkpoint(stopped.last)
