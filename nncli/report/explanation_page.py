"""An explanation as one page of HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from nncli.checking.explanation import Explanation, LayerExplained
from nncli.checking.quantity import Element, Formula, Quantity, norm
from nncli.core.arrays import Array
from nncli.core.text import unfolded
from nncli.report.arrays import (
    LEFT_OUT,
    cut,
    figure,
    head_text,
    matrix_of,
    place_text,
    shape_text,
)
from nncli.report.explanation_words import (
    frozen,
    headline,
    lengths_text,
    letters_text,
    numeric_text,
    predicts,
    remembered,
    selection,
    step_rows,
    target_lines,
    total_text,
    update_lines,
    verdict,
)
from nncli.report.page import heading, listing, page, paragraph, prose

ROWS = 10
COLUMNS = 8
"""Cells of a matrix, down and across."""


def explanation_page(explained: Explanation) -> str:
    """Write an explanation as a page that needs no other file."""
    return page(f"{explained.name} explained", list(_parts(explained)))


def _parts(explained: Explanation) -> Iterator[str]:
    yield heading(1, explained.name)
    yield paragraph(headline(explained))
    for remark in explained.remarks:
        yield paragraph(remark, "note")
    yield _overview(explained)
    kind = "wrong" if explained.wrong or explained.unsteady else ""
    yield paragraph(verdict(explained), kind)
    yield heading(2, "Forward pass")
    for number, layer in enumerate(explained.layers):
        yield _card(_forward(layer, number))
    yield heading(2, "Loss", place="loss")
    yield _card(_loss(explained))
    yield heading(2, "Backward pass, from the loss to the input")
    yield _card(_from_loss(explained))
    for number, layer in reversed([*enumerate(explained.layers)]):
        yield _card(_backward(layer, number))
    yield heading(2, "Update", place="update")
    yield _card(_update(explained))
    for layer in explained.layers:
        steps = [each for each in layer.parameters if each.after is not None]
        if steps:
            yield _card(_steps(layer, steps))


def _card(parts: Iterator[str]) -> str:
    return f'<section class="card">\n{"".join(parts)}\n</section>'


def _overview(explained: Explanation) -> str:
    """Return a table of all layers, with links to both passes."""
    rows = []
    for number, layer in enumerate(explained.layers):
        indent = "&nbsp;" * (3 * layer.depth)
        name = f'{indent}<a href="#forward-{number}">{escape(layer.label)}</a>'
        gradient = layer.y.gradient
        back = "-" if gradient is None else figure(norm(gradient))
        rows.append(
            (
                name,
                shape_text(layer.y.value.shape),
                figure(norm(layer.y.value)),
                f'<a href="#backward-{number}">{back}</a>',
            )
        )
    head = ("layer", "y", "norm of y", "norm of dL/dy")
    return listing(head, rows)


def _formula(formula: Formula) -> str:
    text = formula.whole or f"{formula.name} says nothing of itself (no docstring)."
    lines = "".join(f"<p>{prose(line)}</p>" for line in unfolded(text))
    return f'<div class="formula">{lines}</div>'


def _array(name: str, array: Array, aside: str = "") -> str:
    """Return an array as a heat map with its numbers, cut where it is too large."""
    matrix, place = matrix_of(array)
    largest = float(np.nan_to_num(abs(matrix)).max(initial=0)) or 1.0
    lines = []
    for i, cells in enumerate(cut(matrix, ROWS, COLUMNS)):
        drawn = "".join(
            f"<td>{cell}</td>"
            if cell == LEFT_OUT
            else _cell(cell, float(matrix[i, j]) / largest)
            for j, cell in enumerate(cells)
        )
        lines.append(f"<tr>{drawn}</tr>")
    shown = paragraph(f"{name}{place}:", "note") if place else ""
    table = f'<table class="matrix">{"".join(lines)}</table>'
    head = heading(4, f"{head_text(name, array)}{aside}")
    return f'{head}{shown}<div class="wide" tabindex="0">{table}</div>'


def _cell(text: str, share: float) -> str:
    """Return a number, the darker the larger."""
    sign = "plus" if share >= 0 else "minus"
    return f'<td class="{sign}" style="--s:{min(abs(share), 1):.2f}">{text}</td>'


def _forward(layer: LayerExplained, number: int) -> Iterator[str]:
    title = f"{layer.label}{frozen(layer)}"
    yield heading(3, title, place=f"forward-{number}", aside=layer.call)
    yield _formula(layer.formula)
    if layer.letters:
        yield paragraph(letters_text(layer))
    for each in layer.quantities:
        yield _array(each.name, each.value, lengths_text(each.lengths))
    for name, array in remembered(layer):
        yield _array(name, array)


def _loss(explained: Explanation) -> Iterator[str]:
    loss = explained.loss
    yield heading(3, f"loss {loss.formula.name}", aside=loss.call)
    yield _formula(loss.formula)
    if loss.fused:
        yield paragraph(f"The last layer, {loss.fused}, is part of it.")
    yield _array("outputs", loss.outputs.value)
    if predicts(explained):
        yield _array("predictions", loss.predictions)
    yield _array("targets", loss.targets)
    yield from map(paragraph, target_lines(loss))
    yield paragraph(total_text(explained), "result")


def _from_loss(explained: Explanation) -> Iterator[str]:
    loss = explained.loss
    yield heading(3, f"loss {loss.formula.name}")
    yield from map(_formula, loss.ops)
    yield from _derivatives(loss.outputs)


def _backward(layer: LayerExplained, number: int) -> Iterator[str]:
    title = f"{layer.label}{frozen(layer)}"
    yield heading(3, title, place=f"backward-{number}", aside=layer.call)
    yield from map(_formula, layer.ops)
    for each in (layer.y, *layer.parameters, layer.x):
        yield from _derivatives(each)


def _derivatives(each: Quantity) -> Iterator[str]:
    name = f"dL/d{each.name}"
    if each.gradient is None:
        yield heading(4, f"{name}: none")
        return
    yield heading(4, f"{head_text(name, each.gradient)}{selection(each)}")
    rows = [
        (
            place_text(e.index),
            figure(e.value),
            figure(e.derivative),
            _numeric(e),
        )
        for e in each.elements
    ]
    yield listing(("place", each.name, "derivative", "numeric"), rows)


def _numeric(element: Element) -> str:
    text = escape(numeric_text(element))
    return f'<span class="wrong">{text}</span>' if element.wrong else text


def _update(explained: Explanation) -> Iterator[str]:
    update = explained.update
    yield heading(3, f"optimizer {update.formula.name}", aside=update.call)
    yield _formula(update.formula)
    yield from map(paragraph, update_lines(explained))


def _steps(layer: LayerExplained, steps: list[Quantity]) -> Iterator[str]:
    yield heading(3, layer.label)
    for each in steps:
        yield heading(4, f"{each.name}{selection(each)}")
        head, *rows = step_rows(each)
        yield listing(head, rows)
