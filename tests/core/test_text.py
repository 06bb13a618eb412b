"""Text: cells that a spreadsheet would run."""

from __future__ import annotations

import json

import pytest

from nncli.core.text import json_text, shown, spreadsheet_text


@pytest.mark.parametrize(
    "text",
    [
        *('=HYPERLINK("http://x.test")', "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)"),
        *("\t=1", "\r=1", "\n=1", "=1", "+", "-", "-1,5", "+49 30 1234"),
    ],
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert spreadsheet_text(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "-1", "+1.5e-3", "-inf", "setosa", "a=b", "'=1", " x", "größe", "1+1"]
)
def test_other_texts_and_numbers_stay_as_they_are(text: str) -> None:
    assert spreadsheet_text(text) == text


def test_json_is_read_back_whatever_a_terminal_would_make_of_it() -> None:
    # Backwards: two halves of a pair become one letter where the first is in front.
    every = "\U000e0001" + "".join(map(chr, range(0x11000, -1, -1)))
    text = json_text({"é": every})
    assert json.loads(text) == {"é": every}
    # What is done to all that is printed leaves it as it is.
    assert shown(text) == text
    assert "é" in text
    assert "\u202e" not in text
