"""Gathered: all that a page tells of a run, as far as it is to be had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.config.write import to_flow, to_yaml
from nncli.core.errors import NncliError
from nncli.core.text import shortened
from nncli.report.curves import Row, rows_at
from nncli.report.settings import LONGEST, Setting, settings
from nncli.runs.directory import RunDirectory
from nncli.runs.entry import Entry, entry_of
from nncli.runs.listing import config_of_run
from nncli.runs.rows import flat
from nncli.runs.sources import find_checkpoint
from nncli.runs.untrusted import mapping
from nncli.training.session import restore_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from nncli.experiment.experiment import Experiment
    from nncli.report.plots.pictures import Picture


LIVE = ("curves", "learning_rate", "gradients")
"""Pictures of what a page has as charts with values on hover."""


@dataclass
class Gathered:
    """A run, and what its files say.

    Attributes:
        run: Where it lies.
        entry: How it is getting on.
        name: What the page calls it.
        manifest: What it was made with.
        config: What it is trained with; empty where it is not to be had.
        settings: What of that is not the default.
        resolved: The whole of it as YAML.
        environment: What it was made with, by name.
        rows: Its evaluations.
        records: Its recorded steps.
        experiment: Its network; None where it is not to be had.
        pictures: What is drawn of it.
        missing: Why something is not to be had, by what it is.
        undrawn: Which pictures could not be drawn, and why.
    """

    run: RunDirectory
    entry: Entry
    name: str
    manifest: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    resolved: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    records: list[Row] = field(default_factory=list)
    experiment: Experiment | None = None
    pictures: list[Picture] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    undrawn: list[str] = field(default_factory=list)

    def _try(self, what: str, take: Callable[[], Any]) -> None:
        try:
            setattr(self, what, take())
        except (NncliError, OSError, RecursionError) as error:
            self.missing[what] = str(error)


def gather(run: RunDirectory, name: str, *, allow_plugins: bool) -> Gathered:
    """Read a run; what cannot be read is noted, and fails nothing.

    Args:
        run: Also one that is being trained.
        name: What the page calls it.
        allow_plugins: Whether its network may run the Python files that it names.
    """
    from nncli.report.plots import pictures_of

    def experiment() -> Experiment:
        best = find_checkpoint(run.path)
        return restore_network(best, allow_plugins=allow_plugins).experiment

    def drawn() -> list[Picture]:
        every = pictures_of(
            run, allow_plugins=allow_plugins, svg=False, tell=found.undrawn.append
        )
        return [each for each in every if each.name not in LIVE]

    found = Gathered(run, entry_of(run.path), name, run.facts())
    found._try("config", lambda: mapping(config_of_run(found.entry)))
    found._try("settings", lambda: settings(found.config))
    found._try("resolved", lambda: to_yaml(found.config))
    found._try("environment", lambda: _environment(found.manifest))
    found._try("rows", lambda: rows_at(run.metrics))
    found._try("records", lambda: rows_at(run.records))
    found._try("experiment", experiment)
    found._try("pictures", drawn)
    return found


def _environment(manifest: dict[str, Any]) -> dict[str, str]:
    """Return what a run was made with, as texts."""
    told = ("command", "overrides", "changes", "configs_sha256")
    facts = flat({name: fact for name, fact in manifest.items() if name not in told})
    return {
        name: fact if isinstance(fact, str) else shortened(to_flow(fact), LONGEST)
        for name, fact in facts.items()
    }


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """Return what runs are called: by their directory alone where that is enough."""
    names = {path: Path(path).name for path in paths}
    twice = {name for name, n in Counter(names.values()).items() if n > 1}
    return {p: p if name in twice or not name else name for p, name in names.items()}
