"""Trainings on texts: resumed ones, streams, what does not fit, what is scored."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nncli.autograd.tape import no_grad
from nncli.core.arrays import counted
from nncli.core.errors import ConfigError, RunError, UsageError
from nncli.metrics.classification import log_losses
from nncli.runs.checkpoint import load_checkpoint, save_checkpoint
from nncli.training.evaluate import Evaluator, scored_parts
from nncli.training.fitted import fitted_from
from nncli.training.session import restore_checkpoint
from nncli.training.state import capture, restore
from nncli.training.trainer import Trainer
from nncli.training.transfer import take_weights
from tests.training.jobs import (
    StopAt,
    assert_same_bits,
    experiment,
    run_of,
    state_of,
    trainer,
)

TEXT = """\
name: text
dataset: {{type: text, path: {path}, block: 6, windows: 40}}
split: {{validation: 0.2}}
layers:
  - {{type: embedding, units: 4, name: letters}}
  - {{type: gru, units: 4}}
  - {{type: dropout, rate: 0.1}}
  - {{type: tied, to: letters}}
loss: softmax_cross_entropy
optimizer: {{type: adam, lr: 0.01}}
metrics: [perplexity]
training: {{epochs: 2, batch_size: 8}}
"""
STREAM = ("dataset.windows=null", "dataset.stream=true", "layers[1].stateful=true")


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "t.txt"
    letters = np.random.default_rng(0).choice(list("abc \n"), 403)
    path.write_text("".join(letters), encoding="utf-8", newline="\n")
    return TEXT.format(path=path)


@pytest.mark.parametrize("overrides", [(), STREAM], ids=["windows", "stream"])
def test_stopped_within_an_epoch_a_training_goes_on_with_the_same_bits(
    overrides: tuple[str, ...], text: str
) -> None:
    whole = trainer(*overrides, text=text)
    whole.fit()
    first = trainer(*overrides, text=text, callbacks=(StopAt(3),))
    first.fit()
    assert first.progress.batch == 3
    saved = capture(first.experiment, first.progress)
    again = experiment(*overrides, text=text)
    second = Trainer(again, None, (), restore(again, saved))
    second.fit()
    assert_same_bits(state_of(whole), state_of(second))


def test_rows_of_a_stream_go_on_where_those_of_the_batch_before_stopped(
    text: str,
) -> None:
    made = experiment(*STREAM, text=text)
    batches = [
        (batch.x.data.copy(), batch.targets.data.copy())
        for batch in made.batches().epoch(0)
    ]
    assert [len(x) for x, _ in batches] == [8] * made.steps_per_epoch
    for (_, y), (x, _) in pairwise(batches):
        np.testing.assert_array_equal(x[:, 0], y[:, -1])


def test_epochs_take_other_windows_and_as_many_as_the_config_says(text: str) -> None:
    made = experiment(text=text)
    assert made.steps_per_epoch == 5
    epochs = [
        np.concatenate([b.x.data.copy() for b in made.batches().epoch(number)])
        for number in (0, 0, 1)
    ]
    np.testing.assert_array_equal(epochs[0], epochs[1])
    assert len(epochs[0]) == 40
    assert (epochs[0] != epochs[2]).any()


def test_an_evaluation_gives_the_mean_over_all_tokens(text: str) -> None:
    made = experiment(text=text)
    part = scored_parts(made)["validation"]
    batch = part.batch(slice(0, len(part)))
    made.network.set_training(False)
    with no_grad():
        predictions = made.loss.predictions(made.network(batch.x)).data
    losses = log_losses(
        counted(predictions, batch.lengths), counted(batch.targets.data, batch.lengths)
    )
    assert losses.size == 81
    scores = Evaluator(made, part).run()
    assert scores["loss"] == pytest.approx(losses.mean(), rel=1e-5)
    assert scores["perplexity"] == pytest.approx(np.exp(losses.mean()), rel=1e-5)


def test_a_recorded_evaluation_heeds_lengths_behind_an_embedding(
    tmp_path: Path,
) -> None:
    path = tmp_path / "qa.txt"
    lines = ["1 A is in the hall.", "2 B left.", "3 Where is A? \thall\t1"]
    lines += ["4 A went out.", "5 C left.", "6 Where is A? \tout\t1"]
    path.write_text("\n".join(lines), encoding="utf-8")
    text = f"""\
dataset: {{type: babi, path: {path}}}
layers:
  - {{type: embedding, units: 4}}
  - {{type: lstm, units: 4, return_sequences: false}}
  - {{type: dense, units: 2}}
loss: softmax_cross_entropy
optimizer: sgd
training: {{epochs: 1}}
"""
    made = experiment(text=text)
    part = made.parts["train"]
    batch = part.batch(slice(0, 2))
    with no_grad():
        eager = made.loss(made.network(batch.x), batch.targets).item()
    assert Evaluator(made, part).run()["loss"] == pytest.approx(eager, rel=1e-6)


@pytest.mark.parametrize(
    ("override", "place", "message"),
    [
        ("transforms=[standardize]", "transforms[0]", "the inputs .* are tokens"),
        ("augmentations=[gaussian_noise]", "augmentations[0]", "are tokens"),
        ("layers[1].stateful=true", "layers[1].stateful", "dataset.stream: true"),
        ("split.group=x", "split", "Leave split.group out"),
        ("split.fold={number: 1, of: 2}", "split", "Leave split.fold out"),
        ("layers[0]={type: positions}", "layers[0]", "expected numbers as inputs"),
        ("split.validation=0.001", "split", "at least one token in the validation"),
    ],
)
def test_what_makes_no_sense_on_tokens_is_refused_at_its_line(
    override: str, place: str, message: str, text: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        experiment(override, text=text)
    assert place in str(caught.value)


def test_states_do_not_go_on_from_one_line_to_another(text: str) -> None:
    lines = text.replace("type: text", "type: lines")
    lines = lines.replace(", block: 6, windows: 40", "")
    with pytest.raises(ConfigError, match="rows of their own") as caught:
        experiment("layers[1].stateful=true", text=lines)
    assert "layers[1].stateful" in str(caught.value)


def test_balanced_weights_do_not_count_padding(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("a\nab\nabbbb\nb\n", encoding="utf-8", newline="\n")
    text = TEXT.format(path=path).replace("type: text", "type: lines")
    text = text.replace(", block: 6, windows: 40", "").replace("split: ", "# ")
    balanced = "loss={type: softmax_cross_entropy, class_weights: balanced}"
    made = experiment(balanced, text=text)
    # Of 13 targets, four end a line, three are a, and six b.
    expected = [13 / (3 * count) for count in (4, 3, 6)]
    weights = made.config.loss.arguments["class_weights"]
    assert weights == pytest.approx(expected)


@pytest.mark.parametrize("tokens", [["a", "a"], ["€"]])
def test_a_checkpoint_with_tokens_that_are_none_is_refused(tokens: list[str]) -> None:
    meta = {"fitted": {"vocabulary": {"tokenizer": "bytes", "tokens": tokens}}}
    with pytest.raises(RunError, match="expected different tokens"):
        fitted_from(meta, "best.npz")


def test_a_checkpoint_keeps_the_vocabulary_and_another_one_is_refused(
    text: str, tmp_path: Path
) -> None:
    made, run = run_of(tmp_path, text=text)
    checkpoint = load_checkpoint(run.last)
    assert made.vocabulary is not None
    known = checkpoint.meta["fitted"]["vocabulary"]
    assert known["tokens"] == ["\n", " ", "a", "b", "c"]
    again = restore_checkpoint(run.last, allow_plugins=False).experiment
    assert again.vocabulary == made.vocabulary
    known["tokens"] = ["\n", " ", "a", "b", "d"]
    save_checkpoint(run.last, checkpoint)
    with pytest.raises(RunError, match="expected the vocabulary that its data gives"):
        restore_checkpoint(run.last, allow_plugins=False)
    with pytest.raises(UsageError, match=r"same vocabulary.*differs: 'c', 'd'"):
        take_weights(experiment(text=text), run.last)
