"""A class's typed fields as the schema of what YAML may say about it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Le, Lt, MinLen

from nncli.core.description import Description
from nncli.core.errors import ArgumentError
from nncli.core.signature import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    PositiveFloat,
    UnitInterval,
    argument_help,
    schema_of,
    signature_of,
)
from nncli.core.text import describe, nearest, show, with_article


class Ink(Description):
    """What a pen is filled with."""

    kind = "ink"


class Pen(Description):
    """A pen.

    Something more about it.

    Args:
        width: How wide
            a line is.
        colour: What it looks like: any name.
        tips: One length each.
        ink: What is in it.
    """

    kind = "pen"

    width: Positive
    colour: str = "black"
    tips: list[float] | None = None
    ink: Ink | None = None

    def __post_init__(self) -> None:
        if self.colour == "invisible":
            raise ArgumentError("expected a colour that can be seen.")


def test_signature_lists_arguments_in_order_with_help() -> None:
    arguments = signature_of(Pen).arguments
    assert list(arguments) == ["width", "colour", "tips", "ink"]
    assert arguments["width"].help == "How wide a line is."
    assert arguments["colour"].help == "What it looks like: any name."
    assert arguments["width"].required
    assert not arguments["colour"].required
    assert signature_of(Pen).defaults() == {
        "colour": "black",
        "tips": None,
        "ink": None,
    }


def test_signature_of_a_class_without_a_constructor_is_empty() -> None:
    assert signature_of(Ink).arguments == {}
    assert argument_help(Ink) == {}


def test_instance_remembers_its_arguments_with_defaults_in_order() -> None:
    pen = Pen(tips=[1.0], width=2)
    assert list(pen.arguments.items()) == [
        ("width", 2),
        ("colour", "black"),
        ("tips", [1.0]),
        ("ink", None),
    ]
    assert Pen(3).arguments["width"] == 3


EXPECTED: list[tuple[Any, str]] = [
    (int, "an integer"),
    (float, "a number"),
    (str, "a text"),
    (bool, "true or false"),
    (Positive, "an integer >= 1"),
    (Count, "an integer >= 0"),
    (PositiveFloat, "a number > 0"),
    (NonNegative, "a number >= 0"),
    (Fraction, "a number >= 0 and < 1"),
    (UnitInterval, "a number >= 0 and <= 1"),
    (Annotated[float, Ge(-0.5), Lt(1e-3)], "a number >= -0.5 and < 0.001"),
    (Annotated[int, Le(2**63 - 1)], "an integer <= 9223372036854775807"),
    (Positive | None, "an integer >= 1 or null"),
    (Positive | Literal["full"], "an integer >= 1 or 'full'"),
    (Literal["a", "b"], "one of 'a', 'b'"),
    (list[Any], "a list"),
    (list[float], "a list of numbers"),
    (list[Positive], "a list of integers >= 1"),
    (list[str] | None, "a list of texts or null"),
    (Annotated[list[Ink], MinLen(1)], "a list of inks (at least 1)"),
    (list[list[int]], "a list of lists of integers"),
    (Ink, "an ink"),
    (Pen | None, "a pen or null"),
    (Any, "any value"),
]


@pytest.mark.parametrize(
    ("annotation", "words"), EXPECTED, ids=[w for _, w in EXPECTED]
)
def test_annotation_is_described_in_words(annotation: Any, words: str) -> None:
    assert describe(schema_of(annotation)) == words


ACCEPTED: list[tuple[str, Any]] = [
    ("width", 1),
    ("colour", ""),
    ("tips", None),
    ("tips", []),
    ("tips", [1, 2.5]),
    ("ink", None),
    ("ink", Ink()),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_right_value_has_no_fault(name: str, value: Any) -> None:
    assert signature_of(Pen).faults({"width": 1, name: value}) == []


REFUSED: list[tuple[str, Any, tuple[str | int, ...], str]] = [
    ("width", 0, ("width",), "expected an integer >= 1, got 0."),
    ("width", 1.0, ("width",), "expected an integer >= 1, got 1.0."),
    ("width", "1", ("width",), "expected an integer >= 1, got '1'."),
    ("width", True, ("width",), "expected an integer >= 1, got true."),
    ("width", None, ("width",), "expected an integer >= 1, got nothing (null)."),
    ("colour", 3, ("colour",), "expected a text, got 3."),
    ("tips", 3, ("tips",), "expected a list of numbers or null, got 3."),
    ("tips", [1, "x"], ("tips", 1), "expected a number, got 'x'."),
    ("tips", [False], ("tips", 0), "expected a number, got false."),
    (
        "tips",
        [math.nan],
        ("tips", 0),
        "expected a number, got nan, which is not finite.",
    ),
    ("ink", "blue", ("ink",), "expected an ink or null, got 'blue'."),
]


@pytest.mark.parametrize(("name", "value", "path", "message"), REFUSED)
def test_wrong_value_has_one_fault_at_its_place(
    name: str, value: Any, path: tuple[str | int, ...], message: str
) -> None:
    (fault,) = signature_of(Pen).faults({"width": 1, name: value})
    assert fault.path == path
    assert fault.message == message
    assert not fault.at_key


def test_value_that_fails_every_alternative_has_one_fault() -> None:
    class Brush(Description):
        """A brush."""

        size: Positive | Literal["full"]

    (fault,) = signature_of(Brush).faults({"size": 0})
    assert fault.message == "expected an integer >= 1 or 'full', got 0."


def test_unknown_and_missing_arguments_are_faults() -> None:
    unknown, missing = signature_of(Pen).faults({"widht": 3})
    assert unknown.path == ("widht",)
    assert unknown.at_key
    assert unknown.message == "unknown key. Did you mean 'width'?"
    assert missing.path == ()
    assert missing.message == "width is missing: expected an integer >= 1."


def test_argument_that_is_skipped_is_neither_checked_nor_missing() -> None:
    assert signature_of(Pen).faults({"width": "bad"}, skip=["width"]) == []


def test_argument_of_a_class_without_any_is_unknown() -> None:
    (fault,) = signature_of(Ink).faults({"colour": 1})
    assert fault.message == "unknown key: nothing can be set here."


def test_constructor_reports_everything_that_is_wrong_at_once() -> None:
    wrong: dict[str, Any] = {"width": 0, "tips": [1, "x"], "size": 1}
    with pytest.raises(ArgumentError) as caught:
        Pen(**wrong)
    assert str(caught.value).splitlines() == [
        "Pen.width: expected an integer >= 1, got 0.",
        "Pen.tips.1: expected a number, got 'x'.",
        "Pen.size: unknown key. Expected one of: width, colour, tips, ink.",
    ]


def test_constructor_refuses_too_many_arguments() -> None:
    with pytest.raises(ArgumentError, match="at most 4 arguments by position"):
        Pen(1, "black", None, None, 5)  # type: ignore[call-arg]


def test_constructor_may_refuse_on_its_own() -> None:
    with pytest.raises(ArgumentError, match="that can be seen"):
        Pen(1, "invisible")


NAMES = ["dense", "dropout", "relu", "leaky_relu", "beta1", "beta2"]
NEAREST = {
    "dens": "Did you mean 'dense'?",
    "Dense": "Did you mean 'dense'?",
    "ReLU": "Did you mean 'relu'?",
    "LeakyReLU": "Did you mean 'leaky_relu'?",
    "beta": "Did you mean 'beta1' or 'beta2'?",
    "zzz": f"Expected one of: {', '.join(NAMES)}.",
    "": f"Expected one of: {', '.join(NAMES)}.",
}


@pytest.mark.parametrize(("name", "text"), NEAREST.items())
def test_nearest_name_is_suggested(name: str, text: str) -> None:
    assert nearest(name, NAMES) == text


def test_nearest_name_is_suggested_as_it_is_written() -> None:
    assert nearest("swish", ["GELU", "SWISH"]) == "Did you mean 'SWISH'?"


SHOWN: list[tuple[Any, str]] = [
    (None, "nothing (null)"),
    (True, "true"),
    (3, "3"),
    (0.5, "0.5"),
    (math.inf, "inf, which is not finite"),
    ("a\nb", "'a\\nb'"),
    ([1], "a list [1]"),
    ({"a": 1}, "a mapping {'a': 1}"),
    ("x" * 60, "'" + "x" * 44 + "..."),
]


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=[text for _, text in SHOWN])
def test_value_is_shown_on_one_short_line(value: Any, text: str) -> None:
    assert show(value) == text


@pytest.mark.parametrize("noun", ["optimizer", "initializer", "an"])
def test_article_in_front_of_a_vowel_is_an(noun: str) -> None:
    assert with_article(noun) == f"an {noun}"


@pytest.mark.parametrize("noun", ["layer", "dataset", "loss"])
def test_article_in_front_of_a_consonant_is_a(noun: str) -> None:
    assert with_article(noun) == f"a {noun}"
