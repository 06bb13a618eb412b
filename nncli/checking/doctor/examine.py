"""Examine: every check on the experiment of a config."""

from __future__ import annotations

from collections.abc import Callable

from nncli.checking.doctor.base import Finding, checks
from nncli.checking.doctor.examination import Examination
from nncli.checking.doctor.refused import Load, refused
from nncli.core.arrays import xp
from nncli.core.errors import ConfigError
from nncli.experiment.experiment import Experiment
from nncli.training.threads import using


def names() -> list[str]:
    """Return the names of all checks, in their order."""
    return [check.name for check in checks()]


def examine(
    load: Load,
    tell: Callable[[str, bool], None] = lambda _name, _slow: None,
    trained: Experiment | None = None,
) -> list[Finding]:
    """Look at an experiment's data, its network, and its first steps.

    A function of the config and of those parameters: the same findings each time.
    Nothing is written.

    Args:
        load: Loads the config, with further overrides where these are to be tried.
        tell: Is told the name of each check before it is made, and whether what is
            done takes long.
        trained: The experiment with the parameters of a training, if there was one.

    Raises:
        ConfigError: The config itself has problems.
        DataError: The data cannot be read.
    """
    loaded = load([])
    try:
        exam = Examination(loaded, trained)
    except ConfigError as error:
        return refused(error, load)
    found: list[Finding] = []
    # Products are small: on a busy machine, threads would wait for each other.
    with using(1), xp.errstate(all="ignore"):
        for check in checks():
            if any(finding.check in check.causes for finding in found):
                continue
            tell(check.name, check.stage == "training" and exam.slow)
            found += check(exam).run()
    return found
