"""What text and page of an explanation both say in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from nncli.checking.explanation import Explanation, LayerExplained, LossExplained
from nncli.checking.quantity import Element, Note, Quantity
from nncli.core.arrays import Array
from nncli.core.text import count, printable
from nncli.report.arrays import figure, place_text

NOTES: dict[Note, str] = {
    "kink": "at a kink, where there is none",
    "too sharp": "where the value bends too sharply for differences",
    "too small": "too small to tell them from rounding",
}


def headline(explained: Explanation) -> str:
    """Say which sample it is."""
    place = ", ".join(map(str, explained.samples))
    row = ", ".join(map(str, explained.rows))
    nouns = "sample" if len(explained.samples) == 1 else "samples"
    same_place = explained.rows == explained.samples
    known = "" if same_place else f" (row {row} of the data)"
    steps = count(explained.steps, "step") if explained.steps else ""
    trained = f"after {steps} of training" if steps else "before training"
    return (
        f"{explained.name}: {nouns} {place} of the {explained.split} part{known}, "
        f"{trained}, computed in float64"
    )


def total_text(explained: Explanation) -> str:
    """Say what L is."""
    loss = explained.loss
    if not loss.penalty:
        return f"L = {figure(loss.value)}"
    total = loss.value + loss.penalty
    return (
        f"L = loss {figure(loss.value)} + penalty on weights {figure(loss.penalty)} = "
        f"{figure(total)}"
    )


def update_lines(explained: Explanation) -> Iterator[str]:
    """Yield what is to be said of the step as a whole."""
    update = explained.update
    ended = count(update.ended, "step")
    over = f": the last one of training, which ended after {ended}"
    yield (
        f"step {update.number:,}, lr {figure(update.lr)} by schedule {update.schedule}"
        f"{over if update.ended else ''}"
    )
    if update.numbers:
        pairs = update.numbers.items()
        yield ", ".join(f"{name} = {figure(value)}" for name, value in pairs)
    if update.clipped != update.norm:
        yield (
            f"gradient of all parameters: norm {figure(update.norm)}, clipped to "
            f"{figure(update.clipped)} before the step"
        )
    else:
        yield f"gradient of all parameters: norm {figure(update.norm)}"
    before, after = figure(update.before), figure(update.after)
    yield f"L of this sample: {before} before, {after} after"


def step_rows(each: Quantity) -> list[tuple[str, ...]]:
    """Return what the optimizer did with elements of a parameter, below a head."""
    kept = list(each.elements[0].remembered) if each.elements else []
    rows: list[tuple[str, ...]] = [
        ("place", "before", "derivative", *kept, "step", "after")
    ]
    for e in each.elements:
        numbers = e.value, e.derivative, *e.remembered.values(), e.step, e.after
        rows.append((place_text(e.index), *map(figure, numbers)))
    return rows


def verdict(explained: Explanation) -> str:
    """Say whether the derivatives agree with their numeric ones."""
    if explained.wrong:
        return f"WRONG derivatives, by: {', '.join(explained.wrong)}"
    if explained.unsteady:
        return f"NOT COMPARED with numeric derivatives: {unsteady(explained)}"
    elements = [
        element
        for layer in explained.layers
        for each in layer.quantities
        for element in each.elements
    ]
    notes = Counter(element.note for element in elements)
    beside = "".join(
        f"; {count(notes[note], 'element')} {text}"
        for note, text in NOTES.items()
        if notes[note]
    )
    return (
        f"{count(len(elements), 'derivative')} beside the numeric ones (central "
        f"differences): largest error {explained.worst:.0e}{beside}"
    )


def unsteady(explained: Explanation) -> str:
    """Say why nothing can be compared with numeric derivatives."""
    return (
        f"{explained.unsteady} gives another result of the same input each time. Let "
        "it draw from the generator that build is given, rng.noise."
    )


def predicts(explained: Explanation) -> bool:
    """Whether predictions are something else than the outputs."""
    loss = explained.loss
    return not same(loss.predictions, loss.outputs.value)


def same(one: Array, other: Array) -> bool:
    """Whether two arrays hold the same."""
    return one.shape == other.shape and bool((one == other).all())


def frozen(layer: LayerExplained) -> str:
    """Say that a layer is not trained."""
    return " (frozen)" if layer.frozen and layer.parameters else ""


def remembered(layer: LayerExplained) -> Iterator[tuple[str, Array]]:
    """Yield what a layer remembers from batch to batch, before and after this one."""
    for each in layer.memory:
        yield f"{each.name} before", each.value
        if each.after is not None:
            yield f"{each.name} after", each.after


def selection(each: Quantity) -> str:
    """Say that not all elements are shown, if so."""
    shown, size = len(each.elements), each.value.size
    if shown == size:
        return ""
    return f", the {f'{shown} ' if shown > 1 else ''}largest of {size:,}"


def numeric_text(element: Element) -> str:
    """Write a numeric derivative; mark it where the other one is wrong."""
    if element.numeric is None or element.note:
        return element.note or "-"
    return f"{'WRONG: ' if element.wrong else ''}{figure(element.numeric)}"


def letters_text(layer: LayerExplained) -> str:
    """Say which parameter each letter of the formulas is."""
    pairs = (f"{letter} is {name}" for name, letter in layer.letters.items())
    return f"Here {', '.join(pairs)}."


def lengths_text(lengths: tuple[int, ...]) -> str:
    """Say behind an array's shape how many steps of its rows count, if not all do."""
    if not lengths:
        return ""
    noun = "length" if len(lengths) == 1 else "lengths"
    return f", {noun} {', '.join(map(str, lengths))}"


def target_lines(loss: LossExplained) -> Iterator[str]:
    """Yield what is to be said of the targets: classes, what counts and how much."""
    if loss.names:
        noun = "class" if len(loss.names) == 1 else "classes"
        yield f"{noun} {', '.join(map(printable, loss.names))}"
    if loss.lengths:
        yield f"steps that count: the first {', '.join(map(str, loss.lengths))}"
    if loss.weights:
        rows = "this row" if len(loss.weights) == 1 else "these rows"
        factors = ", ".join(map(figure, loss.weights))
        yield f"weight of {rows}, a factor of the loss: {factors}"
