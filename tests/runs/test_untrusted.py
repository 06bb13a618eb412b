"""What files say, where nobody vouches for them."""

from __future__ import annotations

import pytest

from nncli.runs.untrusted import MOST_LEVELS, from_json


def test_numbers_that_are_not_finite_are_none() -> None:
    text = '{"a": NaN, "b": [-Infinity, 1e999, -1.5e3, 2]}'
    assert from_json(text) == {"a": None, "b": [None, None, -1500.0, 2]}
    assert from_json(b"\xef\xbb\xbf" + text.encode()) == from_json(text)


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}"), ("[[],", "]")])
def test_too_many_levels_are_refused(begin: str, end: str) -> None:
    def nested(levels: int) -> str:
        return begin * (levels - 1) + '["[[[", {}, {}]' + end * (levels - 1)

    from_json(nested(MOST_LEVELS - 1))
    for levels in (MOST_LEVELS, 3_000, 500_000):
        with pytest.raises(ValueError, match="levels"):
            from_json(nested(levels))
    wide = f"[{','.join([begin + '1' + end] * 1000)}]"
    assert len(from_json(wide)) == 1000


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", "1" * 5000])
def test_what_is_no_json_is_refused(data: bytes | str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|decode|integer string"):
        from_json(data)
