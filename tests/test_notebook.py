"""In a notebook: clean text, small tables, and no codes that move a cursor."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.errors import ArgumentError
from nncli.training import progress
from tests.conftest import CONFIGS

FIT = """
import numpy as np
import nncli as nn
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 2))
model = nn.Model([nn.Dense(4), "relu", nn.Dense(2)])
model.compile(metrics=["accuracy"])
history = model.fit(x, (x[:, 0] > 0).astype(int), epochs=3, verbose=1)
"""


def rows() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(60, 2))
    return x, np.where(x[:, 0] > 0, "<b>", "&")


def model() -> nn.Model:
    made = nn.Model([nn.Dense(4), "relu", nn.Dense(2)], name="<i>")
    return made.compile(metrics=["accuracy"])


def test_notebook_shows_text_and_tables(tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nbformat
        from nbclient import NotebookClient

        train = f"!{sys.executable} -m nncli train {CONFIGS / 'xor.yaml'} "
        cells = [FIT, "history", "model", train + "training.epochs=3"]
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(text) for text in cells]
        )
        client = NotebookClient(
            notebook,
            timeout=60,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        )
        client.execute()
    fit, history, shown, command = (cell.outputs for cell in notebook.cells)
    lines = "".join(output.text for output in fit).splitlines()
    assert lines[0].split() == ["epoch", "train:", "loss", "accuracy", "lr"]
    assert lines[-1].split()[0] == "3/3"
    for outputs in (history, shown):
        assert outputs[0].data["text/html"].startswith("<table>")
    text = "".join(output.text for output in command)
    assert "next: nncli eval runs/xor-1" in text
    assert "3/3" in text
    assert not re.search(r"\x1b", text)


def test_fit_prints_a_table_of_lines_or_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model().fit(*rows(), epochs=3)
    assert capsys.readouterr() == ("", "")
    model().fit(*rows(), epochs=3, verbose=1)
    out, err = capsys.readouterr()
    assert err == ""
    assert "\x1b" not in out
    assert "\r" not in out
    assert [line.split()[0] for line in out.splitlines()] == ["epoch", "1/3", "3/3"]
    with pytest.raises(ArgumentError, match="verbose 0 or 1, got 2"):
        model().fit(*rows(), verbose=2)


def test_fit_writes_over_one_line_in_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(progress, "REDRAW_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "40")
    model().fit(*rows(), epochs=3, verbose=1, validation_split=0.2)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    drawn = out.removesuffix("\n").split("\r")[1:]
    assert len(drawn) == 7
    assert all(line.endswith("\x1b[K") for line in drawn)
    assert max(len(line.removesuffix("\x1b[K")) for line in drawn) <= 39
    assert drawn[-1].startswith("epoch 3/3  train: loss ")
    assert re.search(r"  in [0-9.]+ s\x1b\[K$", drawn[-1])


def test_history_shows_the_last_scores_and_the_best_epoch() -> None:
    history = model().fit(*rows(), epochs=4, validation_split=0.25)
    last = history.last
    text = repr(history)
    assert text.startswith("History(4 evaluations; epoch 4; train: loss ")
    losses = [row["validation"]["loss"] for row in history.rows]
    best = losses.index(min(losses)) + 1
    assert text.endswith(f"best loss {min(losses):.4f} after epoch {best})")
    html = history._repr_html_()
    for part in ("train", "validation"):
        assert f"<td>{part}</td><td>{last[part]['loss']:.4f}</td>" in html
    assert repr(nn.History()) == "History(no evaluations)"
    assert "no evaluations" in nn.History()._repr_html_()


def test_model_shows_its_layers_and_how_far_it_is() -> None:
    made = nn.Model([nn.Dense(4), "relu"])
    assert repr(made) == "Model([Dense(units=4), Relu()]): not compiled"
    made.compile(loss="mse")
    assert repr(made).endswith(": compiled, not built")
    made.build((2,))
    assert repr(made).endswith(": 12 parameters, not trained")
    made.fit(np.ones((4, 2)), np.ones((4, 4)), epochs=1, batch_size=4)
    assert repr(made).endswith(": 12 parameters, 1 epoch, 1 step")
    assert "<td>layers[0] dense</td><td>(N, 4)</td><td>12</td>" in made._repr_html_()
    assert repr(made.network.layers[0]) == "Dense(units=4)"


def test_html_is_escaped() -> None:
    block = {"type": "sequential", "name": "<b>&", "layers": ["relu"]}
    for made in (nn.Model([block]), nn.Model([block]).build((2,))):
        html = made._repr_html_()
        assert "&lt;b&gt;&amp;" in html
        assert "<b>" not in html
