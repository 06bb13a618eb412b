"""Refused: what building an experiment found wrong, as findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from nncli.checking.doctor.base import Finding
from nncli.config.load import Loaded
from nncli.config.write import to_flow
from nncli.core.errors import ConfigError, NncliError, Problem, dotted
from nncli.experiment.build import build
from nncli.losses.base import Loss

Load = Callable[[list[str]], Loaded]
"""Loads the config with some further overrides."""

SIZES = ("32", "64", "16", "33", "48", "full")
"""Sizes of batches that are tried, the usual ones first."""

LOSSES = (
    "softmax_cross_entropy",
    "sigmoid_binary_cross_entropy",
    "categorical_cross_entropy",
    "binary_cross_entropy",
    "mse",
)
"""Losses that are tried, the usual ones first; then all others."""

ENDS = {"probability": "sigmoid", "distribution": "softmax"}
"""The activation that gives what a loss takes."""

_UNITS = re.compile(r"\bunits: (\d+)")


def refused(error: ConfigError, load: Load) -> list[Finding]:
    """Return a finding for each problem, and what mends it, where that was found.

    An override is told where the config can be built with it.

    Args:
        error: Why the experiment could not be built.
        load: Loads its config.
    """
    alone = len(error.problems) == 1
    found = []
    for problem in error.problems:
        tried = _candidates(problem, load([]))
        mends = next((each for each in tried if alone and _mends(load, each)), None)
        overrides = () if mends is None else (mends,)
        advice = "It is refused: nncli train says the same."
        found.append(Finding("refused", str(problem), advice, overrides))
    return found


def _candidates(problem: Problem, loaded: Loaded) -> Iterator[str]:
    """Yield overrides that may mend a problem, the likeliest ones first."""
    if problem.path[:1] == ("loss",):
        yield from _fitting(loaded)
        names = dict.fromkeys([*LOSSES, *Loss.members()])
        yield from (f"loss={name}" for name in names)
    if "batch_size" in problem.message:
        yield from (f"training.batch_size={size}" for size in SIZES)
    units = _UNITS.search(problem.message)
    if units and problem.path[-1:] == ("units",):
        yield f"{dotted(problem.path)}={units[1]}"


def _fitting(loaded: Loaded) -> Iterator[str]:
    """Yield overrides by which loss and last activation fit each other."""
    loss, last = loaded.config.loss, loaded.config.layers[-1]
    if last.output not in ("probability", "distribution"):
        return
    for name, member in Loss.members().items():
        # The same loss, of what the activation gives.
        if member.fusion == (last.type_name, loss.type_name):
            yield f"loss={name}"
    given = loaded.document.value["layers"]
    if loss.takes == "logits" and len(given) > 1:
        yield f"layers={to_flow(given[:-1])}"
    elif loss.takes in ENDS:
        yield f"layers[{len(given) - 1}]={ENDS[loss.takes]}"


def _mends(load: Load, override: str) -> bool:
    """Whether the config can be built with it; for classes, with a loss of classes."""
    try:
        experiment = build(load([override]))
    except NncliError:
        return False
    numbers = override.startswith("loss=") and experiment.loss.takes == "anything"
    return experiment.classes is None or not numbers
