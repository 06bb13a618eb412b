"""The diagram of a network: its boxes, frames and limits."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

import nncli.report.diagram
from nncli.model import Model
from nncli.network.network import Network
from nncli.report.diagram import diagram

BLOCKS: list[Any] = [
    {"type": "dense", "units": 4},
    {
        "type": "residual",
        "layers": ["relu", {"type": "dense", "units": 4}],
    },
    {
        "type": "parallel",
        "mode": "concat",
        "branches": [
            {"type": "dense", "units": 2},
            {"type": "sequential", "name": "<b>", "layers": ["tanh"], "repeat": 2},
        ],
    },
]


def network(layers: list[Any]) -> Network:
    """Return a network for rows of three numbers."""
    return Model(layers).build((3,)).network


def drawn(html: str) -> ElementTree.Element:
    """Parse the drawing."""
    found = re.search(r"<svg.*</svg>", html)
    assert found
    return ElementTree.fromstring(found[0])


def test_every_layer_is_a_box_or_a_frame_around_what_it_holds() -> None:
    svg = drawn(diagram(network(BLOCKS)))
    boxes = [
        " | ".join(text.text or "" for text in group.iter("text"))
        for group in svg.iter("g")
        if (group.get("class") or "").startswith("box")
    ]
    assert boxes == [
        "input | (N, 3)",
        "dense | (N, 4) · 16 parameters",
        "relu | (N, 4)",
        "dense | (N, 4) · 20 parameters",
        "dense | (N, 2) · 10 parameters",
        "tanh | (N, 4)",
        "tanh | (N, 4)",
    ]
    heads = [text.text for text in svg.iter("text") if text.get("class") == "head"]
    assert heads == [
        "residual · (N, 4)",
        "parallel · (N, 6)",
        "sequential '<b>' · (N, 4)",
    ]
    signs = [group for group in svg.iter("g") if group.get("class") == "sign"]
    assert len(signs) == 1


def test_a_network_with_too_many_boxes_is_drawn_from_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nncli.report.diagram, "MOST_BOXES", 3)
    html = diagram(network(BLOCKS))
    assert "3 of 9 layers are drawn" in html
    boxes = [g for g in drawn(html).iter("g") if "box" in (g.get("class") or "")]
    assert len(boxes) == 4
    html = diagram(network([*BLOCKS, "relu", "relu"]))
    assert "3 of 11 layers are drawn" in html
    assert "are drawn" not in diagram(network(["relu"]))
