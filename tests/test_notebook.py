"""In a notebook: clean text, small tables, and no codes that move a cursor."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.core.errors import ArgumentError, MissingExtra, NncliError
from nncli.training import notebook, progress
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

PLOT = "print([axes.get_title() for axes in history.plot()])"


def rows() -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(60, 2))
    return x, np.where(x[:, 0] > 0, "<b>", "&")


def model() -> nn.Model:
    made = nn.Model([nn.Dense(4), "relu", nn.Dense(2)], name="<i>")
    return made.compile(metrics=["accuracy"])


@pytest.mark.slow
def test_notebook_shows_text_and_tables(tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nbformat
        from nbclient import NotebookClient

        train = f"!{sys.executable} -m nncli train {CONFIGS / 'xor.yaml'} "
        cells = [FIT, "history", "model", train + "training.epochs=3", PLOT]
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
    fit, history, shown, command, plot = (cell.outputs for cell in notebook.cells)
    (display,) = fit
    assert display.output_type == "display_data"
    assert display.data["text/plain"].startswith("epoch 3/3 in ")
    html = display.data["text/html"]
    assert '<progress value="6" max="6"></progress> epoch 3/3 in ' in html
    assert "<tr><th></th><th>loss</th><th>accuracy</th></tr><tr><td>train</td>" in html
    assert [output.output_type for output in plot] == ["stream", "display_data"]
    assert plot[0].text == "['loss', 'accuracy']\n"
    assert "image/png" in plot[1].data
    for outputs in (history, shown):
        assert outputs[0].data["text/html"].startswith("<table>")
    text = "".join(output.text for output in command)
    assert "next: nncli eval runs/xor-1" in text
    assert "3/3" in text
    assert not re.search(r"\x1b", text)


class Display:
    """What IPython shows, as a test sees it."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def __call__(self, shown: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        self.shown.append(shown)
        return self

    def update(self, shown: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(shown)


def test_fit_shows_one_display_in_a_notebook_that_is_updated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    display = Display()
    kernel = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: kernel)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    module = SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(notebook, "REDRAW_SECONDS", 0.0)
    model().fit(*rows(), epochs=3, verbose=1, validation_split=0.2)
    assert capsys.readouterr() == ("", "")
    # At first, after each step, at the end; never more than one display.
    first, *_, last = display.shown
    assert len(display.shown) == 1 + 3 * 2 + 1
    assert first["text/plain"] == "epoch 0/3"
    assert '<progress value="0" max="6">' in first["text/html"]
    assert "<td>validation</td>" in last["text/html"]
    assert re.fullmatch(
        r"epoch 3/3 in \S+ s  train: loss \S+ accuracy \S+  validation: .*",
        last["text/plain"],
    )


@pytest.mark.slow
def test_history_becomes_a_frame_of_columns() -> None:
    history = model().fit(*rows(), epochs=2, validation_split=0.2)
    polars = pytest.importorskip("polars")
    pandas = pytest.importorskip("pandas")
    for frame in (history.to_frame("polars"), history.to_frame("pandas")):
        assert list(frame.columns)[:3] == ["epoch", "step", "lr"]
        assert list(frame["epoch"]) == [1, 2]
        losses = [row["validation"]["loss"] for row in history.rows]
        assert list(frame["validation.loss"]) == losses
    assert isinstance(history.to_frame("polars"), polars.DataFrame)
    assert isinstance(history.to_frame(), pandas.DataFrame)
    assert history.to_frame("polars").height == 2


def test_history_says_which_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    history = model().fit(*rows(), epochs=1)
    for name in ("pandas", "polars", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r'pandas or polars.*"nncli\[tables\]"'):
        history.to_frame()
    with pytest.raises(MissingExtra, match=r'matplotlib .*"nncli\[plot\]"'):
        history.plot()
    with pytest.raises(NncliError, match=r"plot: expected evaluations"):
        nn.History().plot()


def test_history_draws_every_score_with_the_best_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    history = model().fit(*rows(), epochs=4, validation_split=0.2)
    loss, accuracy = history.plot()
    assert [axes.get_title() for axes in (loss, accuracy)] == ["loss", "accuracy"]
    train, validation, best = loss.lines
    assert list(train.get_xdata()) == [1, 2, 3, 4]
    values = [row["validation"]["loss"] for row in history.rows]
    assert list(validation.get_ydata()) == values
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (
        history.best_epoch,
        min(values),
    )
    there = accuracy.lines[2]
    best_row = history.rows[history.best_epoch - 1]
    assert there.get_xdata()[0] == history.best_epoch
    assert there.get_ydata()[0] == best_row["validation"]["accuracy"]
    assert loss.get_xlabel() == "epoch"
    pyplot.close(loss.figure)


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


def test_layer_shows_its_arguments() -> None:
    layer = nn.Sequential([nn.Dense(4, l2=0.1)], name="<b>&")
    html = layer._repr_html_()
    assert html.startswith("<table><tr><th>Sequential</th><th></th></tr>")
    assert "<td>layers</td><td>[Dense(units=4, l2=0.1)]</td>" in html
    assert "&lt;b&gt;&amp;" in html
    assert "<td>lr</td><td>0.01</td>" in nn.Adam(lr=0.01)._repr_html_()
    live = nn.Model([layer]).compile().build((2,)).network.layers[0]
    assert live._repr_html_() == html


def test_html_is_escaped() -> None:
    block = {"type": "sequential", "name": "<b>&", "layers": ["relu"]}
    for made in (nn.Model([block]), nn.Model([block]).build((2,))):
        html = made._repr_html_()
        assert "&lt;b&gt;&amp;" in html
        assert "<b>" not in html
