"""Page: one HTML file that opens from disk, in light and dark, on a phone, printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --card: #f5f6f8; --ink: #1b1e24; --faint: #5b6270;
  --line: #d5d9e0; --link: #1d5fb8; --plus: #2f7de1; --minus: #e0562f;
  --wrong: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14161a; --card: #1d2026; --ink: #e8eaee; --faint: #a3abb9;
    --line: #363b45; --link: #8ab8ff; --plus: #4d94ee; --minus: #ea7350;
    --wrong: #ff8a80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem;
  background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 {
  font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem;
  border-bottom: 2px solid var(--line);
}
h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
h4 { font-size: .95rem; font-weight: 600; margin: 1rem 0 .25rem; }
a { color: var(--link); }
p { margin: .4rem 0; }
code, .call, td, th { font-family: ui-monospace, monospace; }
.call, .note { color: var(--faint); font-weight: 400; font-size: .9rem; }
.formula { border-left: 3px solid var(--line); padding-left: .75rem; }
.formula p { margin: .3rem 0; white-space: pre-wrap; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .9rem 1rem; margin: .75rem 0;
}
.result { font-size: 1.15rem; font-weight: 600; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .85rem; margin: .25rem 0; }
th, td { padding: .15rem .6rem; text-align: right; white-space: nowrap; }
thead th {
  color: var(--faint); font-weight: 600; border-bottom: 1px solid var(--line);
}
th[scope=row], .left { text-align: left; font-weight: 400; }
.matrix td { border: 1px solid var(--line); }
.plus { background: color-mix(in srgb, var(--plus) calc(var(--s) * 50%), transparent); }
.minus {
  background: color-mix(in srgb, var(--minus) calc(var(--s) * 50%), transparent);
}
.wrong { color: var(--wrong); font-weight: 700; }
@media print {
  body { max-width: none; font-size: 11pt; padding: 0; }
  .card { break-inside: avoid-page; background: none; }
  .matrix td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def page(title: str, parts: Sequence[str]) -> str:
    """Return a whole page.

    Args:
        title: A text.
        parts: HTML, in which every text is escaped.
    """
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing is loaded and nothing runs, whatever a text may hold.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
    )
    body = "\n".join(parts)
    return f"{head}<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"


def prose(text: str) -> str:
    """Escape a text, and set what stands between double backticks as code."""
    return re.sub(r"``(.+?)``", r"<code>\1</code>", escape(text))


def heading(level: int, text: str, *, place: str = "", aside: str = "") -> str:
    """Return a heading.

    Args:
        level: 1 to 4.
        text: A text.
        place: Its id, to be linked to.
        aside: What stands behind it, a text.
    """
    anchor = f' id="{escape(place)}"' if place else ""
    more = f' <span class="call">{escape(aside)}</span>' if aside else ""
    return f"<h{level}{anchor}>{escape(text)}{more}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a text as a paragraph."""
    name = f' class="{escape(kind)}"' if kind else ""
    return f"<p{name}>{prose(text)}</p>"


def listing(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table.

    Args:
        head: Names of the columns, texts; the first one is that of the rows' names.
        rows: HTML of the cells, the first one the name.
    """
    names = "".join(
        f'<th scope="col"{" class=left" * (i == 0)}>{escape(name)}</th>'
        for i, name in enumerate(head)
    )
    lines = [
        f'<tr><th scope="row">{cells[0]}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells[1:])
        + "</tr>"
        for cells in rows
    ]
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{names}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
