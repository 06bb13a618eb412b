"""Sources: which run, checkpoint or config a name on the command line stands for."""

from __future__ import annotations

from pathlib import Path

from nncli.config.examples import examples
from nncli.config.load import Loaded, load_config, load_values
from nncli.core.errors import RunError, UsageError
from nncli.core.text import suggestion
from nncli.runs.checkpoint import Checkpoint, load_checkpoint
from nncli.runs.directory import RUNS, RunDirectory, no_run
from nncli.runs.folds import CrossValidation

CONFIGS = (".yaml", ".yml")
CONFIG = "a YAML file, an example or a run"


def find_run(given: str | Path, runs: Path = RUNS) -> RunDirectory:
    """Return a run by its path, or by its name among the runs.

    Args:
        given: A directory, or a bare name like ``spiral-1``.
        runs: Where a bare name is looked up.

    Raises:
        UsageError: There is no run at the path and none of the name.
    """
    return RunDirectory.open(_found(Path(given), runs, "a run directory"))


def find_checkpoint(given: str | Path, runs: Path = RUNS) -> Path:
    """Return a checkpoint: a file itself, or a run's best one, else its last.

    Args:
        given: A file, a run directory, or the bare name of a run.
        runs: Where a bare name is looked up.

    Raises:
        UsageError: There is no run at the path and none of the name.
        RunError: There is no checkpoint in the run.
    """
    path = _found(Path(given), runs, "a run directory or a checkpoint")
    if not path.is_dir():
        if path.suffix in CONFIGS:
            raise UsageError(
                f"{path}: expected a run or a checkpoint, got a config. Train it "
                f"first: nncli train {path}"
            )
        return path
    run = RunDirectory.open(path)
    for candidate in (run.best, run.last):
        if candidate.exists():
            return candidate
    raise RunError(f"{path}: expected a checkpoint in {run.checkpoints}, found none.")


def find_folds(given: str | Path, runs: Path = RUNS) -> CrossValidation:
    """Return a cross-validation by its path, or by its name among the runs.

    Args:
        given: A directory, or a bare name like ``iris-cv-1``.
        runs: Where a bare name is looked up.

    Raises:
        UsageError: There is none at the path and none of the name.
    """
    return CrossValidation.open(_found(Path(given), runs, "a cross-validation"))


def load_source(
    given: str | Path,
    overrides: list[str],
    runs: Path = RUNS,
    *,
    allow_plugins: bool = False,
) -> Loaded:
    """Load a config: from a YAML file, or that of a run or of a checkpoint.

    Args:
        given: A YAML file, a run directory, the bare name of a run or of an example, or
            a checkpoint.
        overrides: ``path=value`` texts.
        runs: Where a bare name is looked up.
        allow_plugins: Whether the config may run the Python files it names.

    Raises:
        ConfigError: The config has problems.
        UsageError: There is nothing of that name, or it cannot be read.
        RunError: The checkpoint is damaged.
    """
    path = _source(given, runs)
    if not path.exists():
        example = examples()[path.name]
        return load_config(example, overrides, allow_plugins=allow_plugins)
    if path.is_dir() and (path / "checkpoints").is_dir():
        run = RunDirectory.open(path)
        return load_config(
            run.resolved, overrides, allow_plugins=allow_plugins, copies=run.plugins
        )
    if _is_checkpoint(path):
        checkpoint = load_checkpoint(path)
        return load_values(
            config_of(path, checkpoint),
            overrides,
            source=str(path),
            folder=path.parent,
            allow_plugins=allow_plugins,
            copies=plugins_of(path),
        )
    if path.is_dir() and (path != Path(given) or CrossValidation(path).facts.exists()):
        raise no_run(path, CONFIG)
    return load_config(path, overrides, allow_plugins=allow_plugins)


def trained_source(given: str | Path, runs: Path = RUNS) -> Path | None:
    """Return the checkpoint of what ``load_source`` takes; None for a mere config.

    Args:
        given: As of ``load_source``.
        runs: Where a bare name is looked up.

    Raises:
        UsageError: There is nothing of that name.
        RunError: There is no checkpoint in the run.
    """
    path = _source(given, runs)
    is_run = path.is_dir() and (path / "checkpoints").is_dir()
    return find_checkpoint(path, runs) if is_run or _is_checkpoint(path) else None


def config_of(path: Path, checkpoint: Checkpoint) -> dict[str, object]:
    """Return the config in a checkpoint.

    Raises:
        RunError: There is none.
    """
    value = checkpoint.meta.get("config")
    if not isinstance(value, dict):
        raise RunError(f"{path}: expected a config in the checkpoint, found none.")
    return value


def run_of(checkpoint: Path) -> RunDirectory | None:
    """Return the run that a checkpoint belongs to, by its place; None for none."""
    folder = checkpoint.absolute().parent
    run = RunDirectory(folder.parent)
    return run if folder == run.checkpoints and run.manifest.exists() else None


def plugins_of(checkpoint: Path) -> Path | None:
    """Return where the run of a checkpoint keeps copies of its plugins."""
    run = run_of(checkpoint)
    return run.plugins if run else None


def _source(given: str | Path, runs: Path) -> Path:
    names = tuple(examples())
    return _found(Path(given), runs, CONFIG, names)


def _found(
    given: Path, runs: Path, expected: str, examples: tuple[str, ...] = ()
) -> Path:
    """Return what is at a path, or else the run or the example of that name."""
    bare = len(given.parts) == 1 and given.name not in ("", "..")
    run = runs / given
    # A run goes before a directory of the same name that is none.
    if bare and run.is_dir() and not given.is_file():
        return run if not (given / "checkpoints").is_dir() else given
    if given.exists():
        return given
    if bare and given.name in examples:
        return given
    if bare and run.exists():
        raise no_run(run, expected)
    names = [p.name for p in _neighbours(given.parent)]
    if bare:
        names += [p.name for p in _neighbours(runs) if p.is_dir()]
        names += examples
    hint = suggestion(given.name, list(dict.fromkeys(names))) or "Check the path."
    raise UsageError(f"{given}: expected {expected}, found nothing there. {hint}")


def _neighbours(folder: Path) -> list[Path]:
    """Return what a name in a folder could have meant: runs and YAML files."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        entry
        for entry in entries
        if entry.suffix in (*CONFIGS, ".safetensors")
        or (entry / "checkpoints").is_dir()
        or (entry / "cv.json").is_file()
    ]


def _is_checkpoint(path: Path) -> bool:
    """Whether a file begins as safetensors does: a length, then the brace of JSON."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except (OSError, ValueError):
        return False
    return head[7:] == b"\0{"
