"""``nncli summary``: sizes and work, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import Command
from tests.conftest import CONFIGS, SMALL


def test_summary_counts_what_can_be_counted_by_hand(
    command: Command, write_config: Callable[..., Path]
) -> None:
    facts = command("summary", write_config(), "--json").json()
    assert [layer["output_shape"] for layer in facts["layers"]] == [[6], [6], [2]]
    # A weight (6, 2) and a bias (6,); then (2, 6) and (2,).
    assert [layer["parameters"] for layer in facts["layers"]] == [18, 0, 14]
    assert facts["parameters"] == 32
    # A product is 2·in·out operations, a bias one an output.
    assert [layer["flops"] for layer in facts["layers"]][::2] == [30, 26]
    assert facts["rows"] == {"train": 60, "validation": 20}
    assert (facts["batch_size"], facts["steps_per_epoch"]) == (16, 4)
    assert facts["memory_bytes"]["parameters"] == 32 * 4
    assert facts["memory_bytes"]["gradients"] == 32 * 4
    assert facts["memory_bytes"]["optimizer"] == 2 * 32 * 4
    assert facts["fused"] is None


def test_summary_of_float64_takes_twice_the_memory(
    command: Command, write_config: Callable[..., Path]
) -> None:
    config = write_config()
    single = command("summary", config, "--json").json()["memory_bytes"]
    double = command("summary", config, "precision=float64", "--json").json()
    assert double["memory_bytes"]["parameters"] == 2 * single["parameters"]
    assert double["memory_bytes"]["activations"] > 1.5 * single["activations"]


def test_summary_memory_grows_with_the_batch(
    command: Command, write_config: Callable[..., Path]
) -> None:
    config = write_config(SMALL.replace("samples: 20", "samples: 400"))
    sizes = [
        command("summary", config, f"training.batch_size={size}", "--json").json()[
            "memory_bytes"
        ]["activations"]
        for size in (100, 200, 400)
    ]
    assert 1.9 < sizes[1] / sizes[0] <= 2.0
    assert 1.9 < sizes[2] / sizes[1] <= 2.0


def test_summary_shows_what_its_json_has(command: Command) -> None:
    config = CONFIGS / "digits.yaml"
    facts = command("summary", config, "--json").json()
    shown = command("summary", config).out
    for layer in facts["layers"]:
        line = next(line for line in shown.splitlines() if layer["layer"] in line)
        assert f"{layer['parameters']:,}" in line
        assert f"{layer['flops']:,}" in line
    assert f"parameters    {facts['parameters']:,}" in shown
    assert "train 1,168, validation 270, test 359" in shown


def test_summary_names_what_is_fused_into_the_loss(command: Command) -> None:
    config = CONFIGS / "two_ellipses.yaml"
    assert command("summary", config, "--json").json()["fused"] == "softmax"
    assert "softmax (fused into the loss)" in command("summary", config).out


def test_summary_writes_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command("summary", CONFIGS / "xor.yaml")
    assert list(tmp_path.iterdir()) == []
