"""Quantity: an array of a training step, its derivative and its change."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nncli.core.arrays import Array, xp
from nncli.core.registry import Registry
from nncli.core.signature import about

WHOLE = 1000
"""Elements up to which JSON holds an array whole."""


@dataclass(frozen=True)
class Formula:
    """What a component says of itself.

    Attributes:
        name: In YAML, or of an op, or of the class.
        text: Its docstring down to its arguments, "" for none.
        others: What the docstring refers to, say a base with what members share.
    """

    name: str
    text: str
    others: tuple[Formula, ...] = ()

    @classmethod
    def of(cls, kind: type, known: tuple[type, ...] = ()) -> Formula:
        """Read the docstring of a component or a Function.

        What stands there as ``see X`` or ``as X``, with X a class or a name in YAML,
        is read as well.

        Args:
            kind: Whose.
            known: What refers to it already, and is not read again.
        """
        text, known = about(kind), (*known, kind)
        told = (_referred(kind, *names) for names in REFERENCE.findall(text))
        others = [each for each in dict.fromkeys(told) if each and each not in known]
        name = getattr(kind, "type_name", "") or kind.__name__
        return cls(name, text, tuple(cls.of(other, known) for other in others))

    @property
    def whole(self) -> str:
        """The docstring, and those that it refers to below it."""
        others = [f"{other.name}: {other.whole}" for other in self.others]
        return "\n\n".join([self.text, *others])


REFERENCE = re.compile(r"\b(?:[Ss]ee|as)\s+(?:``(\w+)``|([A-Z]\w+))")


def _referred(kind: type, marked: str, plain: str) -> type | None:
    """Return the class that a name in the docstring of another one stands for."""
    bases = {base.__name__: base for base in kind.__mro__}
    beside = vars(sys.modules[kind.__module__])
    registry: Registry | None = getattr(kind, "registry", None)
    named = None if registry is None else registry.find(marked)
    found = named or (bases | beside).get(marked or plain)
    return found if isinstance(found, type) else None


Note = Literal["", "kink", "too sharp", "too small"]


@dataclass(frozen=True)
class Element:
    """One element of an array, and what the loss L has to do with it.

    Attributes:
        index: Its place.
        value: What it was.
        derivative: dL/d(element) by the backward pass.
        numeric: The same by central differences; None where there is none.
        wrong: Both differ by more than rounding can explain.
        note: Why there is no numeric one: a kink, or the value bends too sharply; or
            that both are too small for their difference to say anything; else "".
        after: What the optimizer made of it; None where it is no parameter.
        remembered: What the optimizer remembers of it behind the step, by name.
    """

    index: tuple[int, ...]
    value: float
    derivative: float
    numeric: float | None
    wrong: bool
    note: Note = ""
    after: float | None = None
    remembered: Mapping[str, float] = field(default_factory=dict)

    @property
    def step(self) -> float | None:
        """By how much the optimizer moved it."""
        return None if self.after is None else self.after - self.value


@dataclass(frozen=True)
class Quantity:
    """An array, its derivative and its change.

    Attributes:
        name: ``x``, ``y``, or that of a parameter.
        value: What it was.
        gradient: dL/d(value); None for what has none: integers, what is frozen.
        after: What the step made of it; None for what no step changes.
        elements: Those of which the derivative is shown: all of a small array, else
            those with the largest derivatives.
        lengths: How many steps of each row's sequence count, where not all do.
    """

    name: str
    value: Array
    gradient: Array | None = None
    after: Array | None = None
    elements: tuple[Element, ...] = ()
    lengths: tuple[int, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether a derivative is."""
        return any(element.wrong for element in self.elements)

    def facts(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found: dict[str, Any] = {"name": self.name, **array_facts(self.value)}
        if self.lengths:
            found["lengths"] = list(self.lengths)
        if self.gradient is not None:
            found["gradient"] = array_facts(self.gradient)
        if self.after is not None:
            found["after"] = array_facts(self.after)
        if self.elements:
            found["elements"] = [_element_facts(each) for each in self.elements]
        return found


def norm(array: Array) -> float:
    """Return √(Σ a²) of an array of any shape."""
    return float(xp.linalg.norm(array.astype(xp.float64).ravel()))


def array_facts(array: Array) -> dict[str, Any]:
    """Return shape and norm of an array, and what is in it unless that is too much."""
    found: dict[str, Any] = {"shape": list(map(int, array.shape))}
    if array.dtype.kind == "f":
        found["norm"] = finite(norm(array))
    if array.size <= WHOLE:
        found["values"] = _finite_values(array.tolist())
    return found


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it."""
    return value if math.isfinite(value) else None


def _finite_values(values: Any) -> Any:
    if isinstance(values, list):
        return [_finite_values(each) for each in values]
    return finite(values) if isinstance(values, float) else values


def _element_facts(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {
        "index": list(element.index),
        "value": finite(element.value),
        "derivative": finite(element.derivative),
        "numeric": element.numeric,
        "wrong": element.wrong,
        "note": element.note or None,
    }
    if element.after is not None and element.step is not None:
        found |= {"step": finite(element.step), "after": finite(element.after)}
        found["remembered"] = {k: finite(v) for k, v in element.remembered.items()}
    return found
