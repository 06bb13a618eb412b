"""Ridges: a histogram over time, one line above the other, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nncli.core.text import number
from nncli.report.curves import Row, layer_labels
from nncli.report.page import text_of
from nncli.report.thinned import thinned
from nncli.runs.untrusted import mapping
from nncli.runs.untrusted import number as number_in

MOST_RIDGES = 24
"""Steps of one picture; of more, so many are drawn, evenly."""

MOST_LAYERS = 40
"""Layers that have pictures; of more, so many, evenly."""

MOST_BINS = 256
LARGEST = 1e300
"""Of ends; the distance between two of them is a number too."""

WIDTH, HEIGHT, STRIDE, SIDE = 320, 40, 7, 4
"""Pixels: of a line, of its highest peak, from one to the next, and at both sides."""


def histogram_cards(rows: Sequence[Row]) -> list[str]:
    """Return for each recorded layer how its values were spread, step by step."""
    labels = layer_labels(rows)
    cards = []
    for path in thinned(list(labels), MOST_LAYERS):
        pictures = "".join(
            ridges(f"{labels[path]}: {kind}", _histograms(rows, path, kind))
            for kind in ("activations", "gradients")
        )
        if pictures:
            cards.append(
                f'<section class="card"><h3>{text_of(labels[path])}</h3>'
                f'<div class="pair">{pictures}</div></section>'
            )
    return cards


def ridges(title: str, found: Iterable[tuple[int, dict[str, Any]]]) -> str:
    """Draw histograms, the first at the top; nothing where there is none.

    Args:
        title: What is drawn.
        found: Steps, and what was recorded at each: ``histogram``, ``mean``, ...
    """
    shown = [
        (step, facts, bins)
        for step, facts in found
        if (bins := _bins(facts.get("histogram"))) is not None
    ]
    shown = thinned(shown, MOST_RIDGES)
    if not shown:
        return ""
    low = min(bins[0] for _, _, bins in shown)
    high = max(bins[1] for _, _, bins in shown)
    if not low < high:
        # Large enough to be another number.
        half = max(0.5, abs(low) * 1e-6)
        low, high = low - half, high + half
    bottom = HEIGHT + STRIDE * (len(shown) - 1)
    lines = "".join(
        _ridge(place / max(len(shown) - 1, 1), HEIGHT + STRIDE * place, low, high, each)
        for place, each in enumerate(shown)
    )
    ends = (
        f'<text x="{SIDE}" y="{bottom + 14}">{number(low)}</text>'
        f'<text x="{SIDE + WIDTH}" y="{bottom + 14}" text-anchor="end">'
        f"{number(high)}</text>"
    )
    first, last = shown[0][0], shown[-1][0]
    label = f"{title}, histograms from step {first:,} (top) to step {last:,}"
    kind = title.rpartition(": ")[2]
    return (
        f'<figure class="ridges"><figcaption>{text_of(kind)}'
        f'<span class="note"> steps {first:,} to {last:,}</span></figcaption>'
        f'<svg role="img" viewBox="0 0 {WIDTH + 2 * SIDE} {bottom + 20}" '
        f'aria-label="{text_of(label)}">{lines}{ends}</svg></figure>'
    )


def _ridge(
    age: float,
    base: float,
    low: float,
    high: float,
    each: tuple[int, dict[str, Any], tuple[float, float, list[float]]],
) -> str:
    """Draw one step's histogram as a hill on its own line."""
    step, facts, (start, end, counts) = each
    peak, width = max(counts), (end - start) / len(counts)

    def across(value: float) -> str:
        return f"{SIDE + (value - low) / (high - low) * WIDTH:.1f}"

    points = [f"{SIDE},{base}", f"{across(start)},{base}"]
    for i, share in enumerate(counts):
        x = across(start + (i + 0.5) * width)
        points.append(f"{x},{base - share / peak * HEIGHT:.1f}")
    points += [f"{across(end)},{base}", f"{SIDE + WIDTH},{base}"]
    return (
        f'<polyline style="--age:{age:.2f}" points="{" ".join(points)}">'
        f"<title>{text_of(_facts(step, facts))}</title></polyline>"
    )


def _facts(step: int, facts: dict[str, Any]) -> str:
    """Say what is known of one step's values."""
    words = {"mean": "mean", "std": "deviation", "zeros": "zeros"}
    known = [(word, number_in(facts.get(key))) for key, word in words.items()]
    told = (f"{word} {number(value)}" for word, value in known if value is not None)
    return ", ".join([f"step {step:,}", *told])


def _histograms(
    rows: Sequence[Row], path: str, kind: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in rows:
        facts = mapping(mapping(mapping(row.get("layers")).get(path)).get(kind))
        yield row["step"], facts


def _bins(value: Any) -> tuple[float, float, list[float]] | None:
    """Return both ends of a histogram and its counts; None for what is none."""
    low, high = (number_in(mapping(value).get(key)) for key in ("low", "high"))
    counts = mapping(value).get("counts")
    if low is None or high is None or low > high or not isinstance(counts, list):
        return None
    if max(abs(low), abs(high)) > LARGEST:
        return None
    found = [number_in(each) for each in counts[:MOST_BINS]]
    shares = [each for each in found if each is not None and each >= 0]
    if len(shares) != len(counts) or not any(shares):
        return None
    return low, high, shares
