"""Diagram: the layers of a network as boxes, from input to output, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nncli.core.text import count, printable, shortened
from nncli.layers.base import Layer
from nncli.network.network import Network
from nncli.training.cost import batch_shape

MOST_BOXES = 200
"""Boxes of one diagram; of a larger network only its outer layers are drawn."""

WIDTH, HEIGHT, GAP, MARGIN, HEAD = 220, 44, 22, 14, 22
"""Pixels: a box, the arrow to the next one, around what a frame holds, its title."""

LETTERS = 26
"""Letters that fit into a box."""


@dataclass(frozen=True)
class Block:
    """A part of the drawing; it is entered and left at the middle of its width.

    Attributes:
        width: Pixels.
        height: Pixels.
        svg: Drawn from (0, 0).
    """

    width: float
    height: float
    svg: str


def diagram(network: Network) -> str:
    """Draw a network; say so where only a part of it could be drawn."""
    depth = _depth(network)
    blocks = [_box("input", batch_shape(network.shapes[0]), "end")]
    blocks += [_layer(layer, depth) for layer in network.layers[:MOST_BOXES]]
    whole = _chain(blocks)
    note = _left_out(network, depth)
    label = escape(f"The network: {count(len(network.nested), 'layer')} from the input")
    return (
        f'{note}<div class="wide diagram" tabindex="0" role="region" '
        f'aria-label="Diagram of the network"><svg role="img" aria-label="{label}" '
        f'width="{whole.width + 2:.0f}" height="{whole.height + 2:.0f}" '
        f'viewBox="-1 -1 {whole.width + 2:.0f} {whole.height + 2:.0f}">'
        f"{whole.svg}</svg></div>"
    )


def _depth(network: Network) -> int:
    """Return how many levels of layers inside layers can be drawn."""
    deepest = max(map(_level, network.nested))
    for depth in range(deepest, 0, -1):
        if sum(_level(path) <= depth for path in network.nested) <= MOST_BOXES:
            return depth
    return 0


def _level(path: str) -> int:
    """Return inside how many layers a place is: ``layers.2.branches.0`` in one."""
    return sum(name.isdecimal() for name in path.split(".")) - 1


def _left_out(network: Network, depth: int) -> str:
    drawn = sum(_level(path) <= depth for path in network.nested)
    if drawn == len(network.nested) and len(network.layers) <= MOST_BOXES:
        return ""
    drawn = min(drawn, MOST_BOXES)
    return (
        f'<p class="note">{drawn} of {len(network.nested):,} layers are drawn: the '
        f"table has all of them.</p>"
    )


def _layer(layer: Layer, depth: int) -> Block:
    """Draw a layer: as a frame around what it holds, or as a box."""
    if not layer.children or depth < 1:
        return _box(layer.title, _facts(layer), "frozen" if layer.frozen else "layer")
    drawn = {name: _layer(each, depth - 1) for name, each in layer.children.items()}
    branches = [block for name, block in drawn.items() if "branches." in name]
    inside = [block for name, block in drawn.items() if "branches." not in name]
    if branches:
        inside.insert(0, _beside(branches))
    signs = {"residual": "+", "scale": "×"}
    title = f"{layer.title} · {batch_shape(layer.output_shape)}"
    return _frame(title, _chain(inside), signs.get(layer.type_name, ""))


def _facts(layer: Layer) -> str:
    size = sum(tensor.size for tensor in layer.parameters.values())
    shape = batch_shape(layer.output_shape)
    return f"{shape} · {count(size, 'parameter')}" if size else shape


def _box(title: str, facts: str, kind: str) -> Block:
    name = printable(title)
    middle = WIDTH / 2
    svg = (
        f'<g class="box {kind}"><title>{escape(f"{name} {facts}")}</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{middle}" y="18">{escape(shortened(name, LETTERS))}</text>'
        f'<text class="facts" x="{middle}" y="35">'
        f"{escape(shortened(facts, LETTERS + 7))}</text></g>"
    )
    return Block(WIDTH, HEIGHT, svg)


def _chain(blocks: Sequence[Block]) -> Block:
    """Draw blocks one below the other, with arrows between them."""
    width, top, parts = max(block.width for block in blocks), 0.0, []
    for place, block in enumerate(blocks):
        if place:
            parts.append(_arrow([(width / 2, top), (width / 2, top + GAP)]))
            top += GAP
        parts.append(_moved(block, (width - block.width) / 2, top))
        top += block.height
    return Block(width, top, "".join(parts))


def _beside(blocks: Sequence[Block]) -> Block:
    """Draw blocks side by side, all of them fed from above."""
    width = sum(block.width for block in blocks) + MARGIN * (len(blocks) - 1)
    height = max(block.height for block in blocks)
    middle, left, parts = width / 2, 0.0, []
    for block in blocks:
        x = left + block.width / 2
        end = GAP + block.height
        parts.append(_moved(block, left, GAP))
        parts.append(_arrow([(middle, 0), (x, GAP / 2), (x, GAP)]))
        parts.append(
            _line([(x, end), (x, height + GAP * 1.5), (middle, height + 2 * GAP)])
        )
        left += block.width + MARGIN
    return Block(width, height + 2 * GAP, "".join(parts))


def _frame(title: str, block: Block, sign: str) -> Block:
    """Draw a frame with a title; with a sign, the input goes round what it holds.

    Args:
        title: A text.
        block: What it holds.
        sign: How the input is combined with the output; "" where it is not.
    """
    side = MARGIN * (2 if sign else 1)
    width = max(block.width, WIDTH) + 2 * side
    top = HEAD + (GAP if sign else MARGIN / 2)
    bottom = top + block.height
    height = bottom + (GAP + MARGIN if sign else MARGIN)
    middle, right = width / 2, width - MARGIN
    name = escape(shortened(printable(title), int(width / 7) - 2))
    parts = [
        f'<rect class="frame" width="{width}" height="{height}" rx="8"/>'
        f'<text class="head" x="8" y="15">{name}</text>',
        _line([(middle, HEAD - 2), (middle, top)]),
        _moved(block, (width - block.width) / 2, top),
        _line([(middle, bottom), (middle, height)]),
    ]
    if sign:
        turn, meet = HEAD + GAP / 3, bottom + GAP / 2 + 2
        way = [(middle, turn), (right, turn), (right, meet), (middle + 9, meet)]
        parts.append(_arrow(way))
        parts.append(
            f'<g class="sign"><circle cx="{middle}" cy="{meet}" r="9"/>'
            f'<text x="{middle}" y="{meet + 5}">{sign}</text></g>'
        )
    return Block(width, height, "".join(parts))


def _moved(block: Block, x: float, y: float) -> str:
    return f'<g transform="translate({x:.1f} {y:.1f})">{block.svg}</g>'


def _line(points: Sequence[tuple[float, float]]) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}"/>'


def _arrow(points: Sequence[tuple[float, float]]) -> str:
    """Draw a line that ends in a tip, downwards or to the left."""
    (_, above), (x, y) = points[-2:]
    tip = "l-4-7h8z" if above < y else "l7-4v8z"
    return f'{_line(points)}<path class="tip" d="M{x:.1f} {y:.1f}{tip}"/>'
