"""Reading: YAML text to plain values that know their places."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nncli.config.load import load_config
from nncli.config.read import MAX_BYTES, MAX_DEPTH, parse, read_config
from nncli.config.scalar import scalar
from nncli.core.errors import ConfigError, Problem, UsageError

SCALARS: dict[str, Any] = {
    "": None,
    "~": None,
    "null": None,
    "NULL": None,
    "true": True,
    "False": False,
    "TRUE": True,
    "0": 0,
    "-17": -17,
    "+3": 3,
    "007": 7,
    "0o17": 15,
    "0xff": 255,
    "1e-3": 0.001,
    "1E5": 100000.0,
    "-2.5e+3": -2500.0,
    "1.": 1.0,
    ".5": 0.5,
    "5.0e-4": 0.0005,
    ".inf": math.inf,
    "-.INF": -math.inf,
    # What YAML 1.1 would change is text.
    "yes": "yes",
    "no": "no",
    "on": "on",
    "Off": "Off",
    "y": "y",
    "1:30": "1:30",
    "12:30:45": "12:30:45",
    "2026-01-31": "2026-01-31",
    "2026-01-31T12:00:00Z": "2026-01-31T12:00:00Z",
    "1_000": "1_000",
    "0b11": "0b11",
    "1e": "1e",
    "e5": "e5",
    ".": ".",
    "-": "-",
    "1,5": "1,5",
    "nan": "nan",
    "inf": "inf",
    "tRUE": "tRUE",
    "=": "=",
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=map(repr, SCALARS))
def test_plain_scalar_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    read = scalar(text)
    assert read == value
    assert type(read) is type(value)


def test_scalar_nan_is_a_float() -> None:
    assert math.isnan(scalar(".nan"))


@pytest.mark.parametrize("text", ["9223372036854775807", "-9223372036854775808"])
def test_integer_of_64_bits_is_read_exactly(text: str) -> None:
    assert scalar(text) == int(text)


@pytest.mark.parametrize("digits", [20, 400, 5000, 100_000])
def test_integer_beyond_64_bits_is_read_as_a_float(digits: int) -> None:
    value = scalar("1" + "0" * (digits - 1))
    assert value == float(f"1e{digits - 1}")
    assert isinstance(value, float)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_of_64_bits_is_read_exactly(number: int) -> None:
    assert scalar(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_exactly(number: float) -> None:
    read = scalar(repr(number))
    assert read == number
    assert isinstance(read, float)


def test_quoted_scalar_is_a_text() -> None:
    assert parse("[\"1\", 'true', \"\", '~']", "x").value == ["1", "true", "", "~"]


def test_block_texts_keep_their_lines() -> None:
    value = parse("a: |\n  one\n  two\nb: >-\n  one\n  two\n", "x").value
    assert value == {"a": "one\ntwo\n", "b": "one two"}


TEXT = """\
# A comment.
name: small

layers:
  - relu
  - {type: dense, units: 3}
"""


def test_places_of_values_count_lines_and_columns_from_one() -> None:
    marks = parse(TEXT, "x").value_marks
    assert marks == {
        (): (2, 1),
        ("name",): (2, 7),
        ("layers",): (5, 3),
        ("layers", 0): (5, 5),
        ("layers", 1): (6, 5),
        ("layers", 1, "type"): (6, 12),
        ("layers", 1, "units"): (6, 26),
    }


def test_places_of_keys_count_lines_and_columns_from_one() -> None:
    marks = parse(TEXT, "x").key_marks
    assert marks == {
        ("name",): (2, 1),
        ("layers",): (4, 1),
        ("layers", 1, "type"): (6, 6),
        ("layers", 1, "units"): (6, 19),
    }


def test_place_behind_wide_characters_counts_characters() -> None:
    with pytest.raises(ConfigError, match=r"^x:1:9: größ: aliases"):
        parse("'größ': *a", "x")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_place_does_not_depend_on_line_endings(ending: str) -> None:
    text = ending.join(["a: 1", "b: 2", "c: *d", ""])
    with pytest.raises(ConfigError, match=r"^x:3:4: c: aliases"):
        parse(text, "x")


def test_problem_carries_its_path() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a:\n  b: 1\n  b: 2\n  c: [0, !t 1]\n", "x")
    paths = [problem.path for problem in caught.value.problems]
    assert paths == [("a", "b"), ("a", "c", 1)]


def test_third_of_three_equal_keys_is_reported_at_its_own_place() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\na: 2\na: 3\n", "x")
    places = [line for line in str(caught.value).splitlines() if line[0] == "x"]
    assert places == [
        "x:2:1: a: duplicate key, first in line 1.",
        "x:3:1: a: duplicate key, first in line 1.",
    ]


def test_equal_keys_of_different_mappings_are_no_duplicates() -> None:
    value = parse("a: {x: 1}\nb: {x: 1, y: {x: 2}}\n", "x").value
    assert value == {"a": {"x": 1}, "b": {"x": 1, "y": {"x": 2}}}


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ("{a: ", "}")])
def test_fifty_levels_are_read_and_one_more_is_refused(
    opened: str, closed: str
) -> None:
    def nested(levels: int) -> str:
        return opened * levels + "1" + closed * levels

    parse(nested(MAX_DEPTH), "x")
    with pytest.raises(ConfigError, match="expected at most 50 levels"):
        parse(nested(MAX_DEPTH + 1), "x")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["[" * 10_000, "{a: " * 10_000, "- " * 10_000, "? " * 10_000, "? [" * 10_000],
    ids=["[", "{", "-", "?", "?["],
)
def test_deep_nesting_is_refused_without_a_crash(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "x")


def test_anchor_that_nothing_refers_to_is_let_pass() -> None:
    assert parse("a: &b {c: 1}", "x").value == {"a": {"c": 1}}


def test_line_of_several_problems_is_shown_once() -> None:
    problems = [Problem((), f"problem {i}.") for i in range(3)]
    text = str(parse("a: 1\n", "x").error(problems))
    assert text.splitlines() == [
        "x:1:1: problem 0.",
        "x:1:1: problem 1.",
        "x:1:1: problem 2.",
        "    a: 1",
        "    ^",
        "3 problems in x.",
    ]


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes("name: größe\n".encode("utf-8-sig"))
    document = read_config(path)
    assert document.value == {"name": "größe"}
    assert document.key_marks["name",] == (1, 1)


@pytest.mark.slow
def test_file_of_exactly_one_mebibyte_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    start = b"name: small\n#"
    path.write_bytes(start + b"x" * (MAX_BYTES - len(start)))
    assert read_config(path).value == {"name": "small"}
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UsageError, match="at most 1 MiB"):
        read_config(path)


def test_endless_file_is_refused_and_not_read_to_its_end() -> None:
    with pytest.raises(UsageError, match=r"/dev/zero: .* got: a device"):
        read_config(Path("/dev/zero"))


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("- r{}\n", id="names of layers"),
        pytest.param("k{}: 1\n", id="keys"),
        pytest.param("a: 1 #{}\n", id="the same key"),
        pytest.param("- [*a] #{}\n", id="aliases"),
    ],
)
def test_very_many_problems_are_counted_and_twenty_told(
    tmp_path: Path, lines: str
) -> None:
    path = tmp_path / "c.yaml"
    begin = "layers:\n" if lines[0] == "-" else ""
    path.write_text(begin + "".join(lines.format(i) for i in range(4000)))
    with pytest.raises(ConfigError) as caught:
        load_config(path, [])
    text = str(caught.value)
    assert len(text.splitlines()) < 70
    assert max(map(len, text.splitlines())) < 2000
    told = sum(line.startswith(str(path)) for line in text.splitlines())
    assert told == 20
    rest = len(caught.value.problems) - told
    assert f"\n... and {rest:,} more.\n" in text
    assert len(caught.value.problems) > 3990


def test_nearest_names_are_looked_for_only_for_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look(name: str, names: list[str]) -> str:
        asked.append(name)
        return ""

    monkeypatch.setattr("nncli.core.registry.advice", look)
    path = tmp_path / "c.yaml"
    path.write_text("layers:\n" + "".join(f"- r{i}\n" for i in range(1000)))
    with pytest.raises(ConfigError):
        load_config(path, [])
    assert len(asked) <= 20


@pytest.mark.parametrize(
    "text", ["- a\n" * 10_001, "a: 1\n" * 10_001, "[" + "[]," * 10_001 + "]"]
)
def test_config_of_too_many_values_is_refused_there(text: str) -> None:
    with pytest.raises(ConfigError, match="at most 10,000 values"):
        parse(text, "x")


def test_long_names_are_cut_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"layers: [{'x' * 500_000}]\n? {'k' * 400_000}\n: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, [])
    assert len(str(caught.value)) < 5000
    assert "unknown layer 'xxxx" in str(caught.value)


YAML_SIGNS = (
    "abc01 :-,[]{}&*!|>'\"%@`#?~<=.\\\n\t\r_/xUe+\x00\x07\x85\u2028\ufeff\ud800"
)


def _reads_or_refuses(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse(text, "x")


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(st.text(YAML_SIGNS, max_size=40))
@example('"\\UFFFFFFFF"')
@example('"\\U00110000"')
@example('"\\ud800"')
@example("%YAML 1." + "9" * 5000 + "\n---\n")
@example("%TAG ! tag:%ff\n--- !a b")
@example("!<%e9> a")
@example("? *a : b\n")
@example("&a : &b\n")
@example("--- |9\n")
@example("- - -\n\t- a")
def test_parser_of_yaml_like_text_only_raises_config_errors(text: str) -> None:
    _reads_or_refuses(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_parser_of_any_text_only_raises_config_errors(text: str) -> None:
    _reads_or_refuses(text)


PIECES = """\
a|b: |- |[|]|{|}|, |: |? |'|"|>|&x |*x|!t |!!int |<<: |---|...|# c|%YAML 1.2|\t|1
"""


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*PIECES.strip("\n").split("|"), "\n", "  ", "|"])))
def test_parser_of_yaml_pieces_only_raises_config_errors(pieces: list[str]) -> None:
    _reads_or_refuses("".join(pieces))


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.binary(max_size=60))
def test_reader_of_any_bytes_only_raises_usage_errors(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        read_config(path)


def test_reader_takes_every_config_of_the_tests(
    write_config: Callable[[], Path],
) -> None:
    assert read_config(write_config()).value["name"] == "small"
