"""Remedies: overrides that several checks advise."""

from __future__ import annotations

from itertools import pairwise

from nncli.checking.doctor.examination import Examination
from nncli.config.write import to_flow
from nncli.layers.base import Layer

SQUEEZED = 0.35
"""Share of the gradient's norm that an activation must pass to be kept.

A sigmoid passes ¼ at most, ReLU of half of its inputs √½ = 0.71.
"""


OWN_INIT = (
    "Let weights begin with what suits the activation, rather than with an init of "
    "your own."
)

WIDER = 4
"""By how much a layer is made wider that cannot hold a few rows."""


def calmer(exam: Examination) -> tuple[str, ...]:
    """Return what keeps activations and gradients from growing: advice, overrides."""
    inits = without_inits(exam)
    if inits:
        return OWN_INIT, *inits
    blocks = [x for x in exam.network.nested.values() if x.type_name == "residual"]
    ends = [_last_drawn(block) for block in blocks]
    places = dict.fromkeys(exam.place(end, "init") for end in ends if end is not None)
    if places:
        return (
            "Let each residual block begin as y = x, with zeros in its last layer "
            "(Zhang et al. 2019), or normalize inside it.",
            *(f"{place}=zeros" for place in places),
        )
    return _normalized(exam)


def livelier(exam: Examination) -> tuple[str, ...]:
    """Return what keeps gradients from vanishing: advice, overrides."""
    return _unsqueezed(exam) or _normalized(exam)


def sharper(exam: Examination) -> tuple[str, ...]:
    """Return what lets a network learn a few rows by heart: advice, overrides."""
    found = _unsqueezed(exam)
    if found:
        return found
    sized = [x for x in exam.network.nested.values() if "units" in x.arguments][:-1]
    wider = [
        f"{exam.place(layer, 'units')}={WIDER * layer.arguments['units']}"
        for layer in sized[:1]
    ]
    return ("See whether targets fit their inputs; else let it be larger.", *wider)


def _unsqueezed(exam: Examination) -> tuple[str, ...]:
    """Return what mends gradients that an activation or an init swallows, if any."""
    flat = _squeezing(exam)
    if flat:
        return (
            "Take an activation whose slope is 1 for half of its inputs in place of "
            "one that is flat at both ends.",
            *(f"{place}=relu" for place in flat),
        )
    inits = without_inits(exam)
    return (OWN_INIT, *inits) if inits else ()


def without_inits(exam: Examination) -> tuple[str, ...]:
    """Return overrides that take back first values that the config chose."""
    chosen = [
        exam.place(layer, "init")
        for layer in exam.network.nested.values()
        if layer.arguments.get("init") is not None
    ]
    return tuple(f"{place}=null" for place in dict.fromkeys(chosen))


def _normalized(exam: Examination) -> tuple[str, ...]:
    """Advise a normalization behind each layer of weights but the last."""
    given = exam.given["layers"]
    weighted = [layer for layer in exam.network.layers if layer.parameters]
    behind = {layer.source[0] for layer in weighted[:-1]}
    more = len(exam.config.layers) - len(given)
    made = []
    for i, each in enumerate(given, start=more):
        made += [each, "layer_norm"] if i in behind else [each]
    advice = "Normalize behind layers with weights."
    return (advice, f"layers={to_flow(made)}") if behind else (advice,)


def _squeezing(exam: Examination) -> list[str]:
    """Return the places of activations that let little of the gradient pass."""
    signals = [signal for signal in exam.first.signals if not signal.layer.children]
    last = exam.network.layers[-1]
    found = []
    for before, signal in pairwise(signals):
        if signal.dead is None or before.grad is None or not signal.grad:
            continue
        if signal.layer is last:
            # What it gives is what the targets are; see the check loss_fit.
            continue
        if before.grad < SQUEEZED * signal.grad and signal.layer.type_name != "relu":
            found.append(exam.place(signal.layer))
    return list(dict.fromkeys(found))


def _last_drawn(layer: Layer) -> Layer | None:
    """Return the last layer inside another one whose first values can be chosen."""
    inside = [each for _, each in layer.walk("") if "init" in each.arguments]
    return inside[-1] if inside else None
