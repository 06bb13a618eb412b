"""Writing: plain values to YAML that reads as the same values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nncli.config.read import parse
from nncli.config.write import to_yaml
from tests.config.test_read import SCALARS

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
TEXTS = st.text(max_size=30) | st.sampled_from(sorted(SCALARS))
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(TEXTS, part, max_size=4),
    max_leaves=12,
)


def _same(a: Any, b: Any) -> bool:
    """Compare types too, also inside: 1, 1.0 and true are three values."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        pairs = zip(a.items(), b.items(), strict=False)
        return len(a) == len(b) and all(
            k == n and _same(v, w) for (k, v), (n, w) in pairs
        )
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and a == 0:
        return b == 0 and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(PLAIN)
@example({"lr": 1e-05, "big": 1e17, "tiny": 5e-324, "inf": math.inf})
@example(["1e-3", "0o17", "1:30", "2026-01-31", "no", "", " ", "~", "null"])
@example({"": "", "<<": 1, "=": 2, "true": 3, "1": 4})
@example(["a: b", "- a", "# a", "a #b", "'", '"', "\t", "a\nb\n", "\u2028", "\x85"])
@example(["\ufeff", "\x00", "\x7f", "😀", "größe", "x" * 300, "word " * 60])
@example({"a": [], "b": {}, "c": [[], [{}]]})
def test_value_that_is_written_reads_as_itself(value: Any) -> None:
    assert _same(parse(to_yaml(value), "x").value, value)


def test_nan_that_is_written_reads_as_nan() -> None:
    assert math.isnan(parse(to_yaml([math.nan]), "x").value[0])


def test_part_that_occurs_twice_is_written_out_twice() -> None:
    part = {"type": "dense", "units": 3}
    text = to_yaml({"layers": [part, part]})
    assert "&" not in text
    assert parse(text, "x").value == {"layers": [part, part]}


def test_keys_keep_their_order() -> None:
    assert to_yaml({"b": 1, "a": 2}) == "b: 1\na: 2\n"


@pytest.mark.parametrize("text", ["1e-3", "no", "1:30", "true", "", "0x10"])
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert to_yaml({"a": text}) == f"a: '{text}'\n"


@pytest.mark.parametrize("text", ["dense", "größe", "a b", "v1.2.3", "../x.py"])
def test_plain_text_is_written_as_it_is(text: str) -> None:
    assert to_yaml({"a": text}) == f"a: {text}\n"
