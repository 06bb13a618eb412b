"""An explanation as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from nncli.checking.explanation import Explanation, LayerExplained
from nncli.checking.quantity import Formula, Quantity
from nncli.core.arrays import Array
from nncli.core.text import table, unfolded, wrapped
from nncli.report.arrays import figure, fitted, head_text, matrix_of, place_text
from nncli.report.explanation_words import (
    frozen,
    headline,
    lengths_text,
    letters_text,
    numeric_text,
    predicts,
    remembered,
    same,
    selection,
    step_rows,
    target_lines,
    total_text,
    update_lines,
    verdict,
)

ROWS = 8
"""Lines of a matrix."""

SMALL = 12
"""Elements up to which an array is written again where it is met again."""


def explanation_text(explanation: Explanation, width: int) -> str:
    """Write an explanation in lines of at most some width."""
    return "\n".join(_Writer(explanation, width).lines())


def _pieces(line: str, room: int) -> Iterator[str]:
    """Cut a line whose words are too long: how a layer was made may be one word."""
    while len(line) > room:
        # Behind a sign where there is one, else anywhere.
        signs = (place + 1 for place in range(room) if line[place] in "([{=,/")
        cut = max(signs, default=room)
        yield line[:cut]
        line = line[cut:]
    yield line


class _Writer:
    """Writes one explanation; formulas that were told once are referred to."""

    def __init__(self, explanation: Explanation, width: int) -> None:
        self.explanation = explanation
        self.width = width
        self._told: dict[Formula, str] = {}
        self._values: list[tuple[str, Array]] = []
        self._gradients: list[tuple[str, Array]] = []

    def lines(self) -> Iterator[str]:
        """Yield all lines."""
        explained = self.explanation
        yield from self._say(headline(explained))
        for remark in explained.remarks:
            yield from self._say(remark)
        yield from self._section("forward pass")
        for layer in explained.layers:
            yield from self._forward(layer)
        yield from self._section("loss")
        yield from self._loss()
        yield from self._section("backward pass, from the loss to the input")
        yield from self._from_loss()
        for layer in reversed(explained.layers):
            yield from self._backward(layer)
        yield from self._section("update")
        yield from self._update()
        yield ""
        yield from self._say(verdict(explained))

    def _say(self, text: str, indent: int = 0) -> Iterator[str]:
        room = max(1, self.width - indent)
        for line in wrapped(text, room):
            yield from (" " * indent + piece for piece in _pieces(line, room))

    def _section(self, title: str) -> Iterator[str]:
        yield ""
        yield from self._say(title.upper())
        yield "─" * min(self.width, 80)

    def _formula(self, formula: Formula, where: str, head: str = "") -> Iterator[str]:
        """Yield a docstring, or where it stood before."""
        if formula in self._told:
            yield from self._say(f"{formula.name}: see {self._told[formula]}", 2)
            return
        self._told[formula] = where
        text = formula.text or f"{formula.name} says nothing of itself (no docstring)."
        for line in unfolded(f"{head}{text}"):
            yield from self._say(line, 2)
        for other in formula.others:
            yield from self._formula(other, where, f"{other.name}: ")

    def _array(self, name: str, array: Array, aside: str = "") -> Iterator[str]:
        """Yield name, shape and norm, and as much of the array as can be read."""
        matrix, place = matrix_of(array)
        shown = f"{name}{place}" if place else ""
        yield from self._say(f"{head_text(name, array)}{aside}", 2)
        if shown:
            yield from self._say(f"{shown}:", 4)
        yield from (f"    {line}" for line in fitted(matrix, ROWS, self.width - 4))

    def _value(self, each: Quantity, where: str) -> Iterator[str]:
        """Yield an array, or where the same stood before if it is large."""
        for known, other in self._values:
            if each.name in ("x", "y") and same(each.value, other):
                yield from self._say(f"{each.name} = {known}", 2)
                return
        if each.value.size > SMALL:
            self._values.append((f"{each.name} of {where}", each.value))
        yield from self._array(each.name, each.value, lengths_text(each.lengths))

    def _forward(self, layer: LayerExplained) -> Iterator[str]:
        yield ""
        yield from self._say(f"{layer.label}: {layer.call}{frozen(layer)}")
        yield from self._formula(layer.formula, layer.label)
        if layer.letters:
            yield from self._say(letters_text(layer), 2)
        for each in layer.quantities:
            yield from self._value(each, layer.label)
        for name, array in remembered(layer):
            yield from self._array(name, array)

    def _loss(self) -> Iterator[str]:
        loss = self.explanation.loss
        yield from self._say(loss.call)
        yield from self._formula(loss.formula, f"loss {loss.formula.name}")
        if loss.fused:
            yield from self._say(f"The last layer, {loss.fused}, is part of it.", 2)
        yield from self._array("outputs", loss.outputs.value)
        if predicts(self.explanation):
            yield from self._array("predictions", loss.predictions)
        yield from self._array("targets", loss.targets)
        for line in target_lines(loss):
            yield from self._say(line, 4)
        yield from self._say(total_text(self.explanation), 2)

    def _from_loss(self) -> Iterator[str]:
        loss = self.explanation.loss
        where = f"loss {loss.formula.name}"
        yield ""
        yield from self._say(where)
        for op in loss.ops:
            yield from self._formula(op, where)
        yield from self._derivatives("outputs", loss.outputs, where)

    def _backward(self, layer: LayerExplained) -> Iterator[str]:
        yield ""
        yield from self._say(f"{layer.label}{frozen(layer)}")
        for op in layer.ops:
            yield from self._formula(op, layer.label)
        for each in (layer.y, *layer.parameters, layer.x):
            yield from self._derivatives(each.name, each, layer.label)

    def _derivatives(self, name: str, each: Quantity, where: str) -> Iterator[str]:
        """Yield dL/d(name) with its numeric one, or where the same stood before."""
        gradient = each.gradient
        if gradient is None:
            yield from self._say(f"dL/d{name}: none", 2)
            return
        for known, other in self._gradients:
            if name == "y" and same(gradient, other):
                yield from self._say(f"dL/d{name} = {known}", 2)
                return
        self._gradients.append((f"dL/d{name} of {where}", gradient))
        head = head_text(f"dL/d{name}", gradient)
        yield from self._say(f"{head}{selection(each)}", 2)
        rows: list[tuple[str, ...]] = [("place", name, "derivative", "numeric")]
        for e in each.elements:
            texts = figure(e.value), figure(e.derivative), numeric_text(e)
            rows.append((place_text(e.index), *texts))
        yield from self._table(rows, spare=(1,))

    def _update(self) -> Iterator[str]:
        update = self.explanation.update
        yield from self._say(update.call)
        yield from self._formula(update.formula, "update")
        for line in update_lines(self.explanation):
            yield from self._say(line, 2)
        for layer in self.explanation.layers:
            for each in layer.parameters:
                if each.after is not None:
                    yield from self._step(layer, each)

    def _step(self, layer: LayerExplained, each: Quantity) -> Iterator[str]:
        yield ""
        yield from self._say(f"{layer.label} {each.name}{selection(each)}")
        rows = step_rows(each)
        kept = len(each.elements[0].remembered)
        if kept and len(table(rows).splitlines()[1]) > self.width - 4:
            # What the optimizer remembers has no room beside the rest.
            yield from self._table([row[:3] + row[3 + kept :] for row in rows], (2, 1))
            yield ""
            rows = [row[:1] + row[3 : 3 + kept] for row in rows]
            yield from self._table(rows)
        else:
            yield from self._table(rows, spare=(2, 1))

    def _table(
        self, rows: list[tuple[str, ...]], spare: tuple[int, ...] = ()
    ) -> Iterator[str]:
        numbers, room = range(1, len(rows[0])), self.width - 4
        lines = table(rows, numbers, spare, room).splitlines()
        if max(map(len, lines)) <= room:
            yield from (f"    {line}" for line in lines)
            return
        # No room for columns: one number below the other.
        head, *body = rows
        for place, *cells in body:
            yield from self._say(place, 4)
            for name, cell in zip(head[1:], cells, strict=True):
                yield from self._say(f"{name} {cell}", 4)
