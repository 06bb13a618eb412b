"""Page: one HTML file that opens from disk, in light and dark, on a phone, printed."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape

from nncli.core.text import printable

LONG = 60
"""Letters of a text in a table; of more, it takes several lines."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --card: #f5f6f8; --ink: #1b1e24; --faint: #5b6270;
  --line: #d5d9e0; --link: #1d5fb8; --plus: #2f7de1; --minus: #e0562f;
  --wrong: #b3261e;
  --c0: #0062a3; --c1: #b85000; --c2: #007a57; --c3: #a2387b;
  --c4: #6b5bd2; --c5: #7c6400; --c6: #00798c; --c7: #575c66;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #14161a; --card: #1d2026; --ink: #e8eaee; --faint: #a3abb9;
    --line: #363b45; --link: #8ab8ff; --plus: #4d94ee; --minus: #ea7350;
    --wrong: #ff8a80;
    --c0: #5cb3f0; --c1: #f59a4a; --c2: #3ec79b; --c3: #ec8fc6;
    --c4: #a99cff; --c5: #d9c04a; --c6: #4fc6d8; --c7: #b3b9c4;
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
figure { margin: 1rem 0; }
figcaption { font-weight: 600; margin-bottom: .25rem; }
.canvas { position: relative; width: 100%; height: 18rem; }
button {
  font: inherit; font-size: .85rem; font-weight: 400; padding: .1rem .6rem;
  color: var(--ink); background: var(--card);
  border: 1px solid var(--faint); border-radius: .4rem; cursor: pointer;
}
button[aria-pressed=true] { color: var(--ground); background: var(--ink); }
summary { cursor: pointer; color: var(--link); font-size: .9rem; }
@media print {
  :root { color-scheme: light; }
  @page { margin: 15mm; }
  h2, h3, h4 { break-after: avoid; }
  figure { break-inside: avoid; }
  body { max-width: none; font-size: 11pt; padding: 0; }
  .card { break-inside: avoid-page; background: none; }
  .matrix td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def page(
    title: str, parts: Sequence[str], *, style: str = "", scripts: Sequence[str] = ()
) -> str:
    """Return a whole page.

    Args:
        title: A text.
        parts: HTML, in which every text is escaped.
        style: More rules, of a page of its own kind.
        scripts: What runs at the end of the page, and nothing else does.
    """
    run = " ".join(map(_digest, scripts)) or "'none'"
    head = (
        # Nothing is loaded and nothing else runs, whatever a text may hold.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f'script-src {run}">\n<style>{STYLE}{style}</style>\n'
    )
    body = "\n".join(parts)
    end = "".join(f"<script>{script}</script>\n" for script in scripts)
    return document(title, head, f"<main>\n{body}\n</main>\n{end}")


def document(title: str, head: str, body: str) -> str:
    """Return what a browser takes for a page.

    Args:
        title: A text.
        head: HTML of what else its head holds.
        body: HTML, in which every text is escaped.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text_of(title)}</title>\n{head}</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )


def _digest(script: str) -> str:
    """Return by what a browser knows a script that may run.

    Raises:
        ValueError: It would end within itself, or a browser would read it otherwise.
    """
    if re.search("</script|<!--|\r", script, re.IGNORECASE):
        raise ValueError("expected a script that can stand in a page")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def prose(text: str) -> str:
    """Escape a text, and set what stands between double backticks as code."""
    return re.sub(r"``(.+?)``", r"<code>\1</code>", text_of(text))


def text_of(text: str) -> str:
    """Escape a text; what could turn the page's letters around is written out."""
    return escape(printable(text, "\n"))


def heading(level: int, text: str, *, place: str = "", aside: str = "") -> str:
    """Return a heading.

    Args:
        level: 1 to 4.
        text: A text.
        place: Its id, to be linked to.
        aside: What stands behind it, a text.
    """
    anchor = f' id="{escape(place)}"' if place else ""
    more = f' <span class="call">{text_of(aside)}</span>' if aside else ""
    return f"<h{level}{anchor}>{text_of(text)}{more}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a text as a paragraph."""
    name = f' class="{escape(kind)}"' if kind else ""
    return f"<p{name}>{prose(text)}</p>"


def listing(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, texts: bool = False
) -> str:
    """Return a table.

    Args:
        head: Names of the columns, texts; the first one is that of the rows' names.
        rows: HTML of the cells, the first one the name.
        texts: Whether the cells hold texts, which may be folded, instead of numbers.
    """
    names = "".join(
        f'<th scope="col"{" class=left" * (i == 0 or texts)}>{text_of(name)}</th>'
        for i, name in enumerate(head)
    )
    lines = [
        f'<tr><th scope="row">{cells[0]}</th>'
        + "".join(
            f"<td{_kind(cell) if texts else ''}>{cell}</td>" for cell in cells[1:]
        )
        + "</tr>"
        for cells in rows
    ]
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{names}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _kind(cell: str) -> str:
    """Return the class of a cell with a text: a long one gets more room."""
    return f' class="text{" long" * (len(cell) > LONG)}"'
