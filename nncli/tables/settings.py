"""Settings: what a config says about single columns of a table."""

from __future__ import annotations

from typing import Literal

from nncli.core.description import Section
from nncli.core.errors import ArgumentError
from nncli.core.signature import Count, Positive, signature_of

Scaling = Literal["standard", "min_max", "robust", "quantile", "log", "none"]

# What says something of columns of one type only.
_OF_TYPE = {
    "missing": ("number", "boolean"),
    "indicator": ("number", "boolean", "date"),
    "scaling": ("number", "boolean"),
    "one_hot": ("category",),
    "rare": ("category",),
    "format": ("date",),
}


class Column(Section):
    """How a column becomes numbers; what is learned, is of the training part alone.

    Attributes:
        type: What its cells are; ``skip`` leaves it out; null for what they look like.
            Example: category.
        missing: What stands for a missing number: the ``median`` or ``mean`` of the
            training rows, or a number. Example: 0.
        indicator: One more input that is 1 where the cell is missing; null for one
            where training rows miss some. Example: true.
        scaling: ``standard`` (mean 0, deviation 1), ``min_max`` (0 to 1), ``robust``
            (median 0, middle half 1 wide), ``quantile`` (the share of training values
            below), ``log`` (sign(x)·ln(1 + |x|), then standard) or ``none``; null for
            the dataset's. Example: log.
        one_hot: Up to so many categories have an input each; more are embedded.
            Example: 16.
        rare: Categories of fewer training rows share one input with unseen ones.
            Example: 10.
        format: How a date is written, in strftime's letters; null for ISO 8601.
            Example: '%d.%m.%Y'.
    """

    type: Literal["number", "boolean", "category", "date", "skip"] | None = None
    missing: Literal["median", "mean"] | float = "median"
    indicator: bool | None = None
    scaling: Scaling | None = None
    one_hot: Positive = 32
    rare: Count = 2
    format: str | None = None

    def __post_init__(self) -> None:
        if self.type is not None:
            fault = self.fault(self.type)
            if fault:
                raise ArgumentError(fault)

    def fault(self, kind: str) -> str:
        """Say what was set that means nothing for a type of column; or nothing."""
        defaults = signature_of(type(self)).defaults()
        for name, kinds in _OF_TYPE.items():
            if kind not in kinds and self.arguments[name] != defaults[name]:
                return (
                    f"expected no {name} for a column of type {kind}, got "
                    f"{self.arguments[name]!r}. That is for {' and '.join(kinds)} only."
                )
        return ""
