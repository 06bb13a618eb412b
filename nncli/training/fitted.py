"""Fitted: what a checkpoint says of a table's columns and targets, and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from nncli.core.errors import RunError
from nncli.data.vocabulary import Vocabulary
from nncli.experiment.experiment import Experiment
from nncli.experiment.target_scale import TargetScale
from nncli.tables.encoder import Encoder
from nncli.tables.raw import RawColumn


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What was learned of columns and targets, apart from parameters.

    Attributes:
        encoder: How columns become inputs; None where the data is no table.
        target_scale: How targets are scaled; None where they are not.
        target_names: Names of the targets, where they have names.
        yes_or_no: Whether targets are labels, each 0 or 1.
        vocabulary: The tokens of the training part; None where inputs are none.
        step_columns: The columns of a table whose rows are steps of sequences; None
            where the data is no such table.
    """

    encoder: Encoder | None = None
    target_scale: TargetScale | None = None
    target_names: tuple[str, ...] | None = None
    yes_or_no: bool = False
    vocabulary: Vocabulary | None = None
    step_columns: tuple[RawColumn, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dataclasses.asdict(self)

    def put(self, experiment: Experiment) -> None:
        """Let an experiment be one of it."""
        experiment.encoder = self.encoder
        experiment.target_scale = self.target_scale
        experiment.target_names = self.target_names
        experiment.yes_or_no = self.yes_or_no
        experiment.vocabulary = self.vocabulary
        experiment.step_columns = self.step_columns


def fitted_of(experiment: Experiment) -> Fitted:
    """Return what an experiment has learned."""
    return Fitted(
        experiment.encoder,
        experiment.target_scale,
        experiment.target_names,
        experiment.yes_or_no,
        experiment.vocabulary,
        experiment.step_columns,
    )


def fitted_from(meta: dict[str, Any], source: str) -> Fitted:
    """Return what a checkpoint's metadata say.

    Raises:
        RunError: They say something else.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        # JSON has lists where the classes have tuples; else, types are exact.
        text = json.dumps(meta.get("fitted", {}))
        return TypeAdapter(Fitted).validate_json(text, strict=True)
    except (ValidationError, TypeError, ValueError) as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            reason = error.errors()[0]["msg"]
        raise RunError(
            f"{source}: expected what was learned of columns, got: {reason}"
        ) from None
