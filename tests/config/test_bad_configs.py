"""Every mistake a config can hold: one message with its place, exit 2, no run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nncli.cli.app import run
from tests.conftest import SMALL


def edited(old: str, new: str, *more: str) -> str:
    """Return the small config with some of its text replaced."""
    text = SMALL
    pairs = [old, new, *more]
    for before, after in zip(pairs[::2], pairs[1::2], strict=True):
        assert before in text
        text = text.replace(before, after, 1)
    return text


LAYERS = SMALL[SMALL.index("layers:") : SMALL.index("loss:")]
ON_NUMBERS = edited(
    "{type: xor, samples: 20, noise: 0.3}",
    "{type: linear, coefficients: [1.0, 2.0]}",
    "units: 2}",
    "units: 1}",
    "softmax_cross_entropy",
    "mse",
    "[accuracy]",
    "[mae]",
)
ZEROS = "0" * 400

# name of the mistake: (text of the file, what the message says among other things)
BAD: dict[str, tuple[str, tuple[str, ...]]] = {
    # No YAML.
    "tab as indentation": (
        "training:\n\tepochs: 5\n",
        ("config.yaml:2:1: expected valid YAML", "spaces, not tabs"),
    ),
    "tab after a key": (
        "training:\n  epochs:\t5\n",
        ("config.yaml:2:10: expected valid YAML", "spaces, not tabs"),
    ),
    "colon in a value": (
        "seed: 1\nname: a: b\n",
        ("config.yaml:2:8: expected valid YAML", "Quote a text with ': ' in it"),
    ),
    "bracket never closed": (
        "seed: 1\nlayers: [relu, tanh\n",
        ("config.yaml:2:9: expected valid YAML", "Close the bracket"),
    ),
    "bracket closed too late": (
        edited("noise: 0.3}", "noise: 0.3"),
        ("config.yaml:4:6: expected valid YAML", "begins at 3:10", "Close the bracket"),
    ),
    "quotation mark never closed": (
        edited("name: small", 'name: "small'),
        ("config.yaml:1:7: expected valid YAML", "Close the quotation mark"),
    ),
    "indentation that jumps": (
        "training:\n    epochs: 5\n  batch_size: 3\n",
        ("config.yaml:3:3: expected valid YAML", "begin in the same column"),
    ),
    "text that begins with a backtick": (
        "name: `a`\n",
        ("config.yaml:1:7: expected valid YAML", "Quote a text"),
    ),
    "unknown escape": (
        'name: "\\q"\n',
        ("config.yaml:1:9: expected valid YAML", "unknown escape character 'q'"),
    ),
    "escape beyond Unicode": (
        'seed: 1\nname: "\\UFFFFFFFF"\n',
        ("config.yaml:2:10: expected valid YAML", "too large"),
    ),
    "version with 5,000 digits": (
        f"%YAML 1.{'9' * 5000}\n---\nseed: 1\n",
        ("config.yaml:1:9: expected valid YAML", "too large"),
    ),
    "control character": (
        "seed: 1\nname: a\x07b\n",
        ("config.yaml:2:8: expected valid YAML", "U+0007", "Remove it"),
    ),
    "null character": (
        "name: a\x00b\n",
        ("config.yaml:1:8: expected valid YAML", "U+0000"),
    ),
    # YAML that a config does not take.
    "half of a surrogate pair": (
        'name: "\\ud800"\n',
        ("config.yaml:1:7: name: expected whole characters",),
    ),
    "alias": (
        "layers: [relu, *x]\n",
        ("config.yaml:1:16: layers[1]: aliases are not supported, got *x.",),
    ),
    "alias as key": (
        "seed: &s 1\n*s : 3\n",
        ("config.yaml:2:1: aliases are not supported, got *s.",),
    ),
    "merge key": (
        edited("{type: adam", "{<<: {lr: 1}, type: adam"),
        ("config.yaml:10:13: optimizer: merge keys (<<) are not supported.",),
    ),
    "standard tag": (
        edited("epochs: 5", 'epochs: !!int "5"'),
        ("config.yaml:12:20: training.epochs: tags are not supported, got !!int.",),
    ),
    "tag that would run code": (
        edited("type: xor", "type: !!python/object/apply:os.system [ls]"),
        ("config.yaml:3:17: dataset.type: tags are not", "Leave it out"),
    ),
    "tag of a key": (
        "!!str seed: 1\n",
        ("config.yaml:1:1: tags are not supported, got !!str.",),
    ),
    "second document": (
        SMALL + "---\nseed: 1\n",
        ("config.yaml:13:1: expected one document, got a second one (---).",),
    ),
    "duplicate key": (
        SMALL + "seed: 4\n",
        ("config.yaml:13:1: seed: duplicate key, first in line 2.", "1 problem in"),
    ),
    "duplicate key in a flow mapping": (
        edited("lr: 0.02", "lr: 0.02, lr: 0.3"),
        ("config.yaml:10:35: optimizer.lr: duplicate key, first in line 10.",),
    ),
    "number as key": (
        SMALL + "1: 2\n",
        ("config.yaml:13:1: expected a text as key, got 1.",),
    ),
    "decimal comma": (
        edited("lr: 0.02", "lr: 0,02"),
        ("config.yaml:10:31: optimizer: expected a text as key, got 02.",),
    ),
    "true as key": (
        SMALL + "true: 2\n",
        ("config.yaml:13:1: expected a text as key, got true.",),
    ),
    "list as key": (
        "seed: 1\n? [[a], b]\n: 2\n",
        ("config.yaml:2:3: expected a text as key, got a list or a mapping.",),
    ),
    "too many levels in brackets": (
        "layers: " + "[" * 10_000,
        ("config.yaml:1:59: layers[0][0]: expected at most 50 levels",),
    ),
    "too many levels in braces": (
        "a: " + "{a: " * 10_000,
        ("config.yaml:1:204: a.a.a: expected at most 50 levels",),
    ),
    "too many levels by indentation": (
        "".join(f"{' ' * i}a:\n" for i in range(80)),
        ("config.yaml:52:52: a.a.a: expected at most 50 levels",),
    ),
    "more than 1 MiB": (
        "# " + "x" * 2**20,
        ("config.yaml: expected at most 1 MiB of YAML, got more.",),
    ),
    "empty file": (
        "",
        ("config.yaml:1:1: expected a mapping with dataset, layers,", "an empty file."),
    ),
    "only a comment": ("# nothing\n", ("config.yaml:1:1: ", "got an empty file.")),
    "list at the top": (
        "- relu\n",
        ("config.yaml:1:1: expected a mapping", "got a list ['relu']."),
    ),
    "text at the top": (
        "spiral\n",
        ("config.yaml:1:1: expected a mapping", "got 'spiral'."),
    ),
    # Keys.
    "unknown key": (
        SMALL + "optimiser: adam\n",
        ("config.yaml:13:1: optimiser: unknown key. Did you mean 'optimizer'?",),
    ),
    "unknown key like no other": (
        SMALL + "zzz: 1\n",
        ("config.yaml:13:1: zzz: unknown key. Expected one of: dataset, layers, loss",),
    ),
    "unknown key in a layer": (
        edited("units: 6", "unit: 6"),
        (
            "config.yaml:6:5: layers[0]: units is missing: expected an integer >= 1.",
            "config.yaml:6:19: layers[0].unit: unknown key. Did you mean 'units'?",
        ),
    ),
    "unknown key near two others": (
        edited("lr: 0.02", "beta: 0.9"),
        ("config.yaml:10:25: optimizer.beta: ", "Did you mean 'beta1' or 'beta2'?"),
    ),
    "unknown key where there is none": (
        edited("- tanh", "- {type: tanh, alpha: 1}"),
        ("config.yaml:7:18: layers[1].alpha: unknown key: only trainable can be set",),
    ),
    "unknown key in a section": (
        edited("validation: 0.25", "valid: 0.25"),
        ("config.yaml:4:9: split.valid: unknown key. Did you mean 'validation'?",),
    ),
    "unknown key two levels down": (
        edited("units: 6", "units: 6, init: {type: uniform, lo: 1}"),
        ("config.yaml:6:51: layers[0].init.lo: unknown key. Did you mean 'low'?",),
    ),
    "empty key": (SMALL + '"": 2\n', ("config.yaml:13:1: unknown key. Expected one",)),
    "invisible space in a key": (
        SMALL + "\xa0metrics: []\n",
        ("config.yaml:13:1: ", "unknown key. Did you mean 'metrics'?"),
    ),
    # Types of components.
    "unknown layer": (
        edited("- tanh", "- tahn"),
        (
            "config.yaml:7:5: layers[1].type: unknown layer 'tahn'.",
            "Did you mean 'tanh'?",
        ),
    ),
    "layer in another case": (
        edited("- tanh", "- Tanh"),
        ("config.yaml:7:5: ", "unknown layer 'Tanh'. Did you mean 'tanh'?"),
    ),
    "unknown layer in a mapping": (
        edited("type: dense", "type: dens"),
        ("config.yaml:6:12: layers[0].type: ", "Did you mean 'dense'?"),
    ),
    "unknown optimizer": (
        edited("adam", "adma"),
        ("config.yaml:10:19: optimizer.type: ", "Did you mean 'adam'?"),
    ),
    "unknown loss": (
        edited("softmax_cross_entropy", "softmax_crossentropy"),
        ("config.yaml:9:7: loss.type: ", "Did you mean 'softmax_cross_entropy'?"),
    ),
    "unknown dataset": (
        edited("type: xor", "type: xro"),
        ("config.yaml:3:17: dataset.type: ", "Did you mean 'xor'?"),
    ),
    "unknown metric": (
        edited("[accuracy]", "[acuracy]"),
        ("config.yaml:11:11: metrics[0].type: ", "Did you mean 'accuracy'?"),
    ),
    "unknown schedule": (
        SMALL + "schedule: cosin\n",
        ("config.yaml:13:11: schedule.type: ", "Did you mean 'cosine'?"),
    ),
    "unknown transform": (
        SMALL + "transforms: [standardise]\n",
        ("config.yaml:13:14: transforms[0].type: ", "Did you mean 'standardize'?"),
    ),
    "unknown initializer": (
        edited("units: 6", "units: 6, init: he_norm"),
        ("config.yaml:6:35: layers[0].init.type: ", "Did you mean 'he_normal'?"),
    ),
    "type missing": (
        edited("type: dense, units: 6", "units: 6"),
        (
            "config.yaml:6:5: layers[0]: type is missing: ",
            "one of adaptive_average_pool1d,",
        ),
    ),
    "type as key, as in other tools": (
        edited("{type: dense, units: 6}", "dense: {units: 6}"),
        ("config.yaml:6:5: layers[0]: type is missing: write {type: dense, units",),
    ),
    "type that is a number": (
        edited("type: dense", "type: 7"),
        ("config.yaml:6:12: layers[0].type: expected the name of a layer, got 7.",),
    ),
    "type that is empty": (
        edited("type: adam", "type: "),
        ("config.yaml:10:18: ", "expected the name of an optimizer, got nothing"),
    ),
    # Missing parts.
    "missing layers": (
        SMALL.replace(LAYERS, ""),
        ("config.yaml:1:1: layers is missing: expected a list of layers",),
    ),
    "missing loss": (
        edited("loss: softmax_cross_entropy\n", ""),
        ("config.yaml:1:1: loss is missing: expected a loss.",),
    ),
    "missing epochs": (
        edited("epochs: 5, ", ""),
        (
            "config.yaml:12:11: training: expected epochs (passes over the training",
            "or steps, got neither. Set epochs, for example epochs: 100.",
        ),
    ),
    "missing units of a bare name": (
        edited("{type: dense, units: 6}", "dense"),
        ("config.yaml:6:5: layers[0]: units is missing: expected an integer >= 1.",),
    ),
    "missing part of a schedule": (
        SMALL + "schedule: step\n",
        ("config.yaml:13:11: schedule: every is missing: expected an integer >= 1.",),
    ),
    "missing part of early stopping": (
        edited("epochs: 5", "epochs: 5, early_stopping: {}"),
        ("config.yaml:12:39: training.early_stopping: patience is missing: ",),
    ),
    "no layers": (
        SMALL.replace(LAYERS, "layers: []\n"),
        ("config.yaml:5:9: layers: expected a list of layers (at least 1)",),
    ),
    "layers left empty": (
        SMALL.replace(LAYERS, "layers:\n"),
        ("config.yaml:5:8: layers: expected a list of layers", "got nothing (null)."),
    ),
    "one layer left empty": (
        edited("- tanh", "-"),
        ("config.yaml:7:4: layers[1]: expected a layer, got nothing (null).",),
    ),
    "optimizer left empty": (
        edited("{type: adam, lr: 0.02}", ""),
        ("config.yaml:10:11: optimizer: expected an optimizer, got nothing (null).",),
    ),
    # Wrong types.
    "text for a number": (
        edited("lr: 0.02", "lr: fast"),
        ("config.yaml:10:29: optimizer.lr: expected a number > 0, got 'fast'.",),
    ),
    "quoted number": (
        edited("lr: 0.02", 'lr: "1e-3"'),
        ("config.yaml:10:29: optimizer.lr: expected a number > 0, got '1e-3'.",),
    ),
    "quoted integer": (
        edited("units: 6", 'units: "6"'),
        ("config.yaml:6:26: layers[0].units: expected an integer >= 1, got '6'.",),
    ),
    "float for an integer": (
        edited("units: 6", "units: 6.0"),
        ("config.yaml:6:26: layers[0].units: expected an integer >= 1, got 6.0.",),
    ),
    "true for an integer": (
        edited("units: 6", "units: true"),
        ("config.yaml:6:26: layers[0].units: expected an integer >= 1, got true.",),
    ),
    "true for a number": (
        edited("lr: 0.02", "lr: true"),
        ("config.yaml:10:29: optimizer.lr: expected a number > 0, got true.",),
    ),
    "list for a number": (
        edited("units: 6", "units: [6]"),
        (
            "config.yaml:6:26: layers[0].units: ",
            "got a list [6].",
        ),
    ),
    "nothing for a number": (
        edited("units: 6", "units:"),
        ("config.yaml:6:25: layers[0].units: expected an integer >= 1, got nothing",),
    ),
    "no for false": (
        edited("validation: 0.25", "stratify: no"),
        ("config.yaml:4:19: split.stratify: expected true or false, got 'no'.",),
    ),
    "on for true": (
        edited("validation: 0.25", "stratify: on"),
        ("config.yaml:4:19: split.stratify: expected true or false, got 'on'.",),
    ),
    "1 for true": (
        edited("validation: 0.25", "stratify: 1"),
        ("config.yaml:4:19: split.stratify: expected true or false, got 1.",),
    ),
    "time for a number": (
        edited("epochs: 5", "epochs: 1:30"),
        (
            "config.yaml:12:20: training.epochs: expected an integer >= 1 or null, got",
            "got '1:30'.",
        ),
    ),
    "date for a number": (
        edited("seed: 3", "seed: 2026-01-01"),
        ("config.yaml:2:7: seed: expected an integer >= 0", "got '2026-01-01'."),
    ),
    "number for a name": (
        edited("name: small", "name: 3"),
        ("config.yaml:1:7: name: expected a text, got 3.",),
    ),
    "number for a layer": (
        edited("- tanh", "- 3"),
        ("config.yaml:7:5: layers[1]: expected a layer (adaptive_av", "got 3."),
    ),
    "number for an optimizer": (
        edited("{type: adam, lr: 0.02}", "3"),
        ("config.yaml:10:12: optimizer: expected an optimizer (adadelta,", "got 3."),
    ),
    "list for a layer": (
        edited("- tanh", "- [tanh]"),
        ("config.yaml:7:5: layers[1]: expected a layer, got a list ['tanh'].",),
    ),
    "name for a list": (
        edited("[accuracy]", "accuracy"),
        ("config.yaml:11:10: metrics: expected a list of metrics, got 'accuracy'.",),
    ),
    "layers without a space behind the dash": (
        SMALL.replace(LAYERS, "layers:\n  -relu\n"),
        ("config.yaml:6:3: layers: expected a list of layers", "got '-relu'."),
    ),
    "number for a section": (
        edited("{validation: 0.25}", "0.25"),
        (
            "config.yaml:4:8: split: expected a mapping (validation, test, stratify, "
            "seed, order, column, time, group, fold), got 0.25.",
        ),
    ),
    "true for a section": (
        edited("epochs: 5", "epochs: 5, early_stopping: true"),
        ("config.yaml:12:39: training.early_stopping: expected a mapping (patience,",),
    ),
    "number of an unknown precision": (
        SMALL + "precision: float16\n",
        ("config.yaml:13:12: precision: expected one of 'float32', 'float64', got",),
    ),
    "text in a list of numbers": (
        ON_NUMBERS.replace("[1.0, 2.0]", "[1.0, two]"),
        ("config.yaml:3:45: dataset.coefficients[1]: expected a number, got 'two'.",),
    ),
    # Out of bounds.
    "negative count": (
        edited("units: 6", "units: -6"),
        ("config.yaml:6:26: layers[0].units: expected an integer >= 1, got -6.",),
    ),
    "zero epochs": (
        edited("epochs: 5", "epochs: 0"),
        (
            "config.yaml:12:20: training.epochs: expected an integer >= 1 or null, got",
            "got 0.",
        ),
    ),
    "zero learning rate": (
        edited("lr: 0.02", "lr: 0"),
        ("config.yaml:10:29: optimizer.lr: expected a number > 0, got 0.",),
    ),
    "not a number": (
        edited("lr: 0.02", "lr: .nan"),
        ("config.yaml:10:29: optimizer.lr: ", "got nan, which is not finite."),
    ),
    "infinity": (
        edited("lr: 0.02", "lr: .inf"),
        ("config.yaml:10:29: optimizer.lr: ", "got inf, which is not finite."),
    ),
    "number beyond all floats": (
        edited("lr: 0.02", "lr: 1e999"),
        ("config.yaml:10:29: optimizer.lr: ", "got inf, which is not finite."),
    ),
    "integer of 400 digits for an integer": (
        edited("units: 6", f"units: 1{ZEROS}"),
        ("config.yaml:6:26: layers[0].units: ", "got inf, which is not finite."),
    ),
    "integer of 400 digits for a number": (
        edited("lr: 0.02", f"lr: 1{ZEROS}"),
        ("config.yaml:10:29: optimizer.lr: ", "got inf, which is not finite."),
    ),
    "integer beyond 64 bits": (
        edited("samples: 20", "samples: 100000000000000000000"),
        ("config.yaml:3:31: dataset.samples: expected an integer >= 1, got 1e+20.",),
    ),
    "seed beyond 64 bits": (
        edited("seed: 3", "seed: 9223372036854775808"),
        ("config.yaml:2:7: seed: expected an integer >= 0 and <= 9223372036854775807",),
    ),
    "negative seed": (
        edited("seed: 3", "seed: -1"),
        ("config.yaml:2:7: seed: expected an integer >= 0", "got -1."),
    ),
    "share of everything": (
        edited("validation: 0.25", "validation: 1"),
        ("config.yaml:4:21: split.validation: expected a number >= 0 and < 1, got 1.",),
    ),
    "dropout of everything": (
        edited("- tanh", "- {type: dropout, rate: 1}"),
        ("config.yaml:7:27: layers[1].rate: expected a number >= 0 and < 1, got 1.",),
    ),
    "batch size that is no choice": (
        edited("batch_size: 16", "batch_size: all"),
        (
            "config.yaml:12:35: training.batch_size: ",
            "an integer >= 1 or 'full', got 'all'.",
            "1 problem in config.yaml.",
        ),
    ),
    # What a constructor refuses.
    "nesterov without momentum": (
        edited("{type: adam, lr: 0.02}", "{type: sgd, nesterov: true}"),
        ("config.yaml:10:12: optimizer: nesterov needs momentum > 0",),
    ),
    "range upside down": (
        SMALL + "transforms: [{type: scale, low: 1, high: 0}]\n",
        ("config.yaml:13:14: transforms[0]: expected low < high, got 1 and 0.",),
    ),
    # Names and scores.
    "name with a slash": (
        edited("name: small", "name: ../small"),
        ("config.yaml:1:7: name: expected 1 to 64 letters, digits,", "got '../small'."),
    ),
    "name that is hidden": (
        edited("name: small", "name: .small"),
        ("config.yaml:1:7: name: expected ", "not beginning with '.' or '-'"),
    ),
    "name that is empty": (
        edited("name: small", 'name: ""'),
        ("config.yaml:1:7: name: expected 1 to 64", "got ''."),
    ),
    "name that is too long": (
        edited("name: small", f"name: {'a' * 65}"),
        ("config.yaml:1:7: name: expected 1 to 64",),
    ),
    "metric twice": (
        edited("[accuracy]", "[accuracy, accuracy]"),
        ("config.yaml:11:21: metrics[1]: expected each metric only once",),
    ),
    "unknown monitor": (
        edited("epochs: 5", "epochs: 5, monitor: acuracy"),
        ("config.yaml:12:32: training.monitor: ", "Did you mean 'accuracy'?"),
    ),
    # Parts that do not fit each other.
    "shapes that do not fit": (
        edited(
            "{type: xor, samples: 20, noise: 0.3}", "digits", "- tanh", "- max_pool1d"
        ),
        ("config.yaml:7:5: layers[1]: ", "of shape (C, L), got (1, 8, 6)"),
    ),
    "more classes than outputs": (
        edited("{type: xor, samples: 20, noise: 0.3}", "{type: spiral, classes: 5}"),
        ("config.yaml:8:26: layers[2].units: ", "5 classes", "Set units: 5"),
    ),
    "more outputs than classes": (
        edited("units: 2}", "units: 7}"),
        ("config.yaml:8:26: layers[2].units: ", "2 classes", "Set units: 2"),
    ),
    "more outputs than numbers": (
        ON_NUMBERS.replace("units: 1}", "units: 3}"),
        ("config.yaml:8:26: layers[2].units: mse expects", "Set units: 1"),
    ),
    "loss that wants probabilities": (
        edited("softmax_cross_entropy", "binary_cross_entropy"),
        ("config.yaml:9:7: loss: ", "let the network end with sigmoid"),
    ),
    "loss that wants distributions": (
        edited("softmax_cross_entropy", "categorical_cross_entropy"),
        ("config.yaml:9:7: loss: ", "let the network end with softmax"),
    ),
    "loss that wants raw scores": (
        edited("loss: softmax", "  - softmax\nloss: softmax"),
        ("config.yaml:10:7: loss: ", "let the network end with a dense layer"),
    ),
    "loss of classes for numbers": (
        ON_NUMBERS.replace("loss: mse", "loss: softmax_cross_entropy"),
        ("softmax_cross_entropy expects classes", "Use a loss for numbers"),
    ),
    "metric of numbers for classes": (
        edited("[accuracy]", "[accuracy, mae]"),
        ("config.yaml:11:21: metrics[1]: mae scores regression; ", "are classes."),
    ),
    "metric of classes for numbers": (
        ON_NUMBERS.replace("[mae]", "[mae, accuracy]"),
        ("config.yaml:11:16: metrics[1]: accuracy scores classification; ",),
    ),
    "empty validation part": (
        edited("validation: 0.25", "validation: 0.001"),
        ("config.yaml:4:8: split", "at least one row in the validation part"),
    ),
    "empty training part": (
        edited("validation: 0.25", "validation: 0.6, test: 0.6"),
        ("config.yaml:4:8: split", "validation + test below 1"),
    ),
    "batch of one row for batch norm": (
        edited("- tanh", "- batch_norm", "batch_size: 16", "batch_size: 59"),
        ("config.yaml:7:5: layers[1]: ", "at least 2 rows", "another training.batch_"),
    ),
    # Plugins.
    "plugins that were not allowed": (
        SMALL + "plugins: [mine.py]\n",
        ("config.yaml:13:10: plugins: ", "from mine.py", "add --allow-plugins"),
    ),
    "plugins that are no list": (
        SMALL + "plugins: mine.py\n",
        ("config.yaml:13:10: plugins: expected a list of texts, got 'mine.py'.",),
    ),
    "plugins that are no names": (
        SMALL + "plugins: [3]\n",
        ("config.yaml:13:11: plugins[0]: expected a text, got 3.",),
    ),
}


def check(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    fragments: tuple[str, ...],
    code: int = 2,
) -> str:
    """Train in vain: one message with all fragments, no run directory."""
    ended = run(["train", *arguments, "--runs-dir", str(folder / "runs")])
    captured = capsys.readouterr()
    assert ended == code
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    for fragment in fragments:
        assert fragment in captured.err
    assert not (folder / "runs").exists()
    return captured.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory, so that messages show short paths."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, content: str | bytes = SMALL) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "config.yaml").write_bytes(data)


@pytest.mark.parametrize(("text", "fragments"), BAD.values(), ids=list(BAD))
def test_bad_config_is_refused_with_its_place(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    fragments: tuple[str, ...],
) -> None:
    write(folder, text)
    check(folder, capsys, ["config.yaml"], fragments)


def test_bad_configs_cover_more_than_forty_kinds() -> None:
    assert len(BAD) >= 40


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        pytest.param(b"\x00\xff\x01PK", "byte 1 is 0xff", id="binary"),
        pytest.param("name: café".encode("latin-1"), "byte 9 is 0xe9", id="latin-1"),
        pytest.param(SMALL.encode("utf-16"), "byte 0 is 0xff", id="utf-16"),
    ],
)
def test_file_that_is_no_utf8_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes, fragment: str
) -> None:
    write(folder, content)
    start = "config.yaml: expected YAML as UTF-8 text, got a binary file or another"
    check(folder, capsys, ["config.yaml"], (start, fragment))


def test_directory_instead_of_a_file_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.yaml").mkdir()
    fragments = ("config.yaml: expected a YAML file, got a directory.",)
    check(folder, capsys, ["config.yaml"], fragments)


@pytest.mark.parametrize("name", ["nowhere.yaml", "no/where.yaml", "a\0b"])
def test_file_that_is_not_there_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    shown = name.replace("\0", "\\x00")
    check(folder, capsys, [name], (f"{shown}: expected a ",))


OVERRIDES: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "no value": (["optimizer.lr"], ("'optimizer.lr': expected path=value",)),
    "no path": (["=3"], ("override '=3': expected path=value",)),
    "two dots": (
        ["optimizer..lr=3"],
        ("expected a path like optimizer.lr",),
    ),
    "name in brackets": (["layers[x]=3"], ("expected a path like", "'layers[x]'")),
    "negative index": (["layers[-1].units=3"], ("expected a path like",)),
    "index first": (["[0]=3"], ("expected a path like",)),
    "index of 5,000 digits": ([f"layers[{'9' * 5000}]=3"], ("expected a path like",)),
    "index too large": (
        ["layers[7].units=3"],
        ("override 'layers[7].units=3': expected an index from 0 to 2 for layers,",),
    ),
    "name in a list": (
        ["layers.dense.units=3"],
        ("expected an index from 0 to 2 for layers, got 'dense'.",),
    ),
    "index in an empty list": (
        ["metrics=[]", "metrics[0]=accuracy"],
        ("expected no index for metrics, which is empty, got 0.",),
    ),
    "index in a mapping": (
        ["optimizer[0]=3"],
        ("override 'optimizer[0]=3': optimizer is no list and has no [0].",),
    ),
    "value that is no YAML": (
        ["layers=[relu"],
        ("override 'layers=[relu': expected valid YAML", "Close the bracket"),
    ),
    "value with an alias": (["layers=*a"], ("aliases are not supported, got *a.",)),
    "value of two documents": (["name=a\n---\nb"], ("expected one document",)),
    "value with too many levels": (
        ["layers=" + "[" * 3000],
        ("expected at most 50 levels",),
    ),
    "unknown key": (
        ["optimizer.lrr=3"],
        (
            "command line: optimizer.lrr=3: optimizer.lrr: ",
            "Did you mean 'lr'?",
        ),
    ),
    "unknown path": (
        ["optimiser.adam.lr=3"],
        (
            "command line: optimiser.adam.lr=3: optimiser: ",
            "Did you mean 'optimizer'?",
        ),
    ),
    "key below a number": (
        ["seed.x=3"],
        ("command line: seed.x=3: seed: expected an integer",),
    ),
    "wrong type": (
        ["optimizer.lr=fast"],
        ("command line: optimizer.lr=fast: optimizer.lr: expected a number > 0, got",),
    ),
    "nothing as value": (
        ["optimizer.lr="],
        (
            "command line: optimizer.lr=: optimizer.lr: ",
            "got nothing (null).",
        ),
    ),
    "wrong part of a value": (
        ["layers=[{type: dense, unit: 3}, tahn]"],
        ("layers[0].unit: unknown key.", "layers[1].type: unknown layer 'tahn'."),
    ),
    "unknown type": (
        ["optimizer.type=adma"],
        (
            "command line: optimizer.type=adma: optimizer.type: ",
            "Did you mean 'adam'?",
        ),
    ),
}


@pytest.mark.parametrize(
    ("overrides", "fragments"), OVERRIDES.values(), ids=list(OVERRIDES)
)
def test_bad_override_is_refused_and_quoted(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    fragments: tuple[str, ...],
) -> None:
    write(folder)
    message = check(folder, capsys, ["config.yaml", *overrides], fragments)
    assert len(message) < 6000


PLUGINS: dict[str, tuple[str, str]] = {
    "syntax error": ("\n\nclass:\n", ":3: {}: SyntaxError: "),
    "exception": ("\n1 / 0\n", ":2: {}: ZeroDivisionError: "),
    "exit": ("raise SystemExit(0)\n", ":1: {}: SystemExit: 0"),
    "name that is taken": (
        "from nncli.layers.base import Layer\n\n\n"
        'class Mine(Layer, name="relu"):\n    """Mine."""\n',
        ":4: {}: ",
    ),
}


@pytest.mark.parametrize(("text", "fragment"), PLUGINS.values(), ids=list(PLUGINS))
def test_plugin_that_fails_is_named_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, fragment: str
) -> None:
    write(folder, SMALL + "plugins: [mine.py]\n")
    (folder / "mine.py").write_text(text, encoding="utf-8")
    place = "mine.py" + fragment.format("the plugin failed while it was loaded")
    check(folder, capsys, ["config.yaml", "--allow-plugins"], (place,), code=1)


def test_missing_plugins_are_all_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, SMALL + "plugins: [a.py, .]\n")
    fragments = (
        "config.yaml:13:11: plugins[0]: expected a Python file, found none at ",
        "config.yaml:13:17: plugins[1]: expected a Python file, found none at ",
    )
    check(folder, capsys, ["config.yaml", "--allow-plugins"], fragments)


MANY = """\
dataset: {type: xor, sample: 20}
layers:
  - {type: dens, units: 6}
  - {type: dense, units: -2}
  - {type: dropout, rate: 2}
loss: mse
optimizer: {type: adam, lr: fast, beta_1: 3}
traning: {epochs: 5}
"""


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, MANY)
    message = check(folder, capsys, ["config.yaml"], ())
    places = [
        line.removeprefix("error: ").partition(": ")[2].partition(": ")[0]
        for line in message.splitlines()
        if "config.yaml:" in line
    ]
    assert places == [
        "training is missing",
        "dataset.sample",
        "layers[0].type",
        "layers[1].units",
        "layers[2].rate",
        "optimizer.lr",
        "optimizer.beta_1",
        "traning",
    ]
    assert message.endswith("8 problems in config.yaml.\n")


def test_all_problems_of_the_text_are_reported_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "loss: mse\nloss: mse\nname: *b\nseed: !x 3\n1: 2\nmetrics: [\n")
    fragments = (
        "config.yaml:2:1: loss: duplicate key, first in line 1.",
        "config.yaml:3:7: name: aliases are not supported",
        "config.yaml:4:7: seed: tags are not supported, got !x.",
        "config.yaml:5:1: expected a text as key, got 1.",
        "config.yaml:7:1: expected valid YAML",
        "5 problems in config.yaml.",
    )
    check(folder, capsys, ["config.yaml"], fragments)


def test_misfits_of_data_network_and_metrics_are_reported_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, edited("units: 2}", "units: 7}", "[accuracy]", "[mae, mse]"))
    fragments = ("layers[2].units: ", "metrics[0]: ", "metrics[1]: ", "3 problems")
    check(folder, capsys, ["config.yaml"], fragments)


def test_line_is_shown_with_a_caret_below_the_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, edited("lr: 0.02", "lr: fast"))
    message = check(folder, capsys, ["config.yaml"], ())
    assert message.splitlines()[1:3] == [
        "    optimizer: {type: adam, lr: fast}",
        "                                ^",
    ]


def test_caret_stands_below_a_mistake_far_to_the_right(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, edited("lr: 0.02", f"eps: 0.{'0' * 300}1, lr: fast"))
    message = check(folder, capsys, ["config.yaml"], ("config.yaml:10:339: ",))
    shown, caret = message.splitlines()[1:3]
    assert shown[caret.index("^") :].startswith("fast")
    assert len(shown) <= 80


def test_message_holds_nothing_that_steers_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, SMALL + '"a\\e[31mb": 1\n\u202etxt: 2\n')
    message = check(folder, capsys, ["config.yaml"], ("config.yaml:13:1: ",))
    assert all(c.isprintable() or c == "\n" for c in message)


def test_memory_that_no_machine_has_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The config may be right on a larger machine: a failure at run time, exit 1."""
    write(folder, edited("samples: 20", "samples: 1000000000000"))
    code = run(["train", "config.yaml", "--runs-dir", str(folder / "runs")])
    captured = capsys.readouterr()
    assert code == 1
    assert "dataset: expected at most" in captured.err
    assert "Traceback" not in captured.err
    assert not (folder / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", [edited("lr: 0.02", "lr: fast"), "layers: " + "[" * 10_000]
)
def test_process_exits_with_2_and_one_message(folder: Path, text: str) -> None:
    write(folder, text)
    command = [sys.executable, "-m", "nncli", "train", "config.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: config.yaml:")
    assert "Traceback" not in done.stderr
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]
