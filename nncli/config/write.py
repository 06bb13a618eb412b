"""Write: plain values back to YAML that reads as the same values."""

from __future__ import annotations

from typing import Any

import yaml

from nncli.config.scalar import scalar


class _Dumper(yaml.SafeDumper):
    """Writes block style, and quotes texts that YAML 1.2 would read as numbers."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal parts out, since the reader takes no aliases."""
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = None if isinstance(scalar(value), str) else "'"
    if not value.isprintable():
        # Only this style escapes every kind of line break.
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(value: Any) -> str:
    """Return YAML text; reading it gives ``value`` again."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def to_flow(value: Any) -> str:
    """Return YAML on one line: ``{type: dense, units: 64}``, ``null``, ``true``."""
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=True,
        width=float("inf"),
    )
    return str(text).removesuffix("...\n").rstrip("\n")


def with_comments(data: bytes, lines: list[str]) -> bytes:
    """Return the bytes of a YAML file with comment lines put on top."""
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    # What ends a line would end the comment.
    text = "".join(f"# {' '.join(line.split())}\n" for line in lines)
    return mark + text.encode() + data.removeprefix(mark)
