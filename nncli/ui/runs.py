"""Endpoints: what the pages of runs ask for."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nncli.config.terse import terse
from nncli.config.write import to_flow
from nncli.core.errors import NncliError, UsageError
from nncli.core.files import open_file
from nncli.core.text import shortened
from nncli.report.plots.base import kinds
from nncli.runs.comparison import differences, environment, parting
from nncli.runs.directory import RunDirectory, why_no_run
from nncli.runs.entry import Entry
from nncli.runs.listing import config_of_run
from nncli.runs.selection import Condition, select
from nncli.ui.answers import answer
from nncli.ui.follow import follow, is_place
from nncli.ui.place import RunsFolder
from nncli.ui.watch import Watch

MOST_COMPARED = 16
MOST_CONDITIONS = 8
MOST_SHOWN = 400
MOST_TEXT = 2**17
"""Bytes of a config that are shown."""

LARGEST_PICTURE = 2**24
"""Bytes of a picture that is shown."""

LOGS = {"metrics": "metrics.jsonl", "records": "records.jsonl"}
"""What can be followed."""

TOLD = ("command", "seed", "nncli", "python", "numpy", "blas", "threads", "platform")
"""What the page of a run tells of its manifest."""


class Runs:
    """Answers what is asked of the runs in a directory.

    Args:
        folder: The directory.
    """

    def __init__(self, folder: RunsFolder) -> None:
        self._folder = folder
        self._watch = Watch(folder)

    def routes(self) -> list[Route]:
        """Return where its endpoints are."""
        return [
            Route("/api/runs", self.listing),
            Route("/api/run", self.run),
            Route("/api/rows", self.rows),
            Route("/api/compare", self.compare),
            Route("/api/picture", self.picture),
        ]

    def listing(self, request: Request) -> Response:
        """Return all runs, or those of which the conditions (``where``) hold."""
        texts = request.query_params.getlist("where")[:MOST_CONDITIONS]
        conditions = [Condition.read(text) for text in texts]
        found = self._watch.listing()
        runs = [_facts(run) for run in select(found.runs, conditions)]
        told = {"folder": str(self._folder.path), "total": len(found.runs)}
        return answer(request, {**told, "runs": runs, "others": found.others})

    def run(self, request: Request) -> Response:
        """Return what is known of a run; of a cross-validation its folds too."""
        path = self._path(request.query_params.get("name", ""))
        found: dict[str, Any] = {"run": _facts(self._watch.entry(path))}
        if why_no_run(path):
            folds = [self._watch.entry(each) for each in self._folds(path)]
            return answer(request, found | {"folds": [_facts(fold) for fold in folds]})
        run = RunDirectory(path)
        facts = run.facts()
        found["made"] = {key: _shown(facts[key]) for key in TOLD if key in facts}
        found["config"] = _text(run.config)
        found["pictures"] = _pictures(run)
        return answer(request, found)

    def picture(self, request: Request) -> Response:
        """Return a picture (``kind``) that the run drew of itself."""
        query = request.query_params
        run, kind = self._run(query.get("name", "")), query.get("kind", "")
        if kind not in {each["kind"] for each in _pictures(run)}:
            raise HTTPException(404, "There is no such picture.")
        with open_file(run.picture(kind)) as file:
            png = file.read(LARGEST_PICTURE + 1)
        if len(png) > LARGEST_PICTURE:
            raise HTTPException(404, "It is too large to be a picture of ours.")
        headers = {"cache-control": "no-cache"}
        return Response(png, headers=headers, media_type="image/png")

    def rows(self, request: Request) -> Response:
        """Return the rows of a log behind a place (``from``)."""
        query = request.query_params
        run = self._run(query.get("name", ""))
        log, place = query.get("log", "metrics"), query.get("from", "")
        if log not in LOGS or not is_place(place):
            expected = ", ".join(LOGS)
            raise UsageError(f"log: expected one of {expected}, and a place in it.")
        return answer(request, vars(follow(run.path / LOGS[log], place)))

    def compare(self, request: Request) -> Response:
        """Return in what runs differ, as ``nncli compare`` does."""
        names = list(dict.fromkeys(request.query_params.getlist("run")))
        if not 2 <= len(names) <= MOST_COMPARED:
            raise UsageError(f"run: expected 2 to {MOST_COMPARED} runs to compare.")
        runs = [self._run(name) for name in names]
        entries = [self._watch.entry(run.path) for run in runs]
        problems: list[str] = []
        configs = {
            name: _config(entry, problems)
            for name, entry in zip(names, entries, strict=True)
        }
        made = {name: environment(run) for name, run in zip(names, runs, strict=True)}
        found = {
            "runs": [_facts(entry) for entry in entries],
            "config": _by_place(differences(configs)),
            "environment": _by_place(differences(made)),
            "parting": _partings(names, runs, problems),
            "problems": problems,
        }
        return answer(request, found)

    def _path(self, name: str) -> Path:
        path = self._folder.find(name)
        if path is None:
            raise HTTPException(404, "There is no such run.")
        return path

    def _run(self, name: str) -> RunDirectory:
        path = self._path(name)
        if why_no_run(path):
            raise HTTPException(404, "There is no such run.")
        return RunDirectory(path)

    def _folds(self, path: Path) -> list[Path]:
        names = sorted(each.name for each in path.glob("fold-*"))
        found = [self._folder.find(f"{path.name}/{name}") for name in names]
        return [each for each in found if each is not None and not why_no_run(each)]


def _facts(entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {"test_is_of_best": entry.test_is_of_best}


def _config(entry: Entry, problems: list[str]) -> dict[str, Any]:
    try:
        return config_of_run(entry)
    except (NncliError, OSError) as error:
        problems.append(str(error))
        return {}


def _partings(
    names: Sequence[str], runs: Sequence[RunDirectory], problems: list[str]
) -> list[dict[str, Any]]:
    """Return from where on each run differs from the first one."""
    found = []
    for name, run in zip(names[1:], runs[1:], strict=True):
        try:
            parted = parting(runs[0].metrics, run.metrics)
        except NncliError as error:
            problems.append(str(error))
            continue
        found.append({"run": name, **vars(parted)})
    return found


def _by_place(places: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Write what stands at each place, of each run, as YAML has it."""
    return {
        place: {run: _at(place, value) for run, value in values.items()}
        for place, values in places.items()
    }


def _at(place: str, value: Any) -> str:
    # The whole of a digest says no more.
    return shortened(_shown(value), 12 if place.endswith("sha256") else MOST_SHOWN)


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        # A command line.
        value = shlex.join(value)
    return shortened(
        value if isinstance(value, str) else to_flow(terse(value)), MOST_SHOWN
    )


def _pictures(run: RunDirectory) -> list[dict[str, Any]]:
    """Tell what a run drew of its network, and when; logs are drawn as they grow."""
    return [
        {
            "kind": kind.name,
            "title": kind.title,
            "alt": kind.seen or kind.title,
            "changed": path.stat().st_mtime_ns // 10**6,
        }
        for kind in kinds()
        if kind.needs_network and (path := run.picture(kind.name)).is_file()
    ]


def _text(path: Path) -> str:
    """Return the beginning of a file of text; "" where it cannot be read."""
    try:
        with open_file(path) as file:
            return file.read(MOST_TEXT).decode(errors="replace")
    except OSError:
        return ""
