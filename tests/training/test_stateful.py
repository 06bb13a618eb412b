"""Stateful layers in a training: what an epoch, an evaluation and a stop do to them."""

from __future__ import annotations

from nncli.core.arrays import Array
from nncli.training.callbacks import Callback
from nncli.training.state import capture, restore
from nncli.training.trainer import Trainer
from tests.conftest import CONFIGS
from tests.training.jobs import (
    StopAt,
    assert_same_bits,
    experiment,
    state_of,
    trainer,
)

TEXT = f"""\
name: stateful
dataset:
  type: text
  path: {CONFIGS.parent / "datasets" / "names.txt"}
  block: 50
  stream: true
split: {{validation: 0.2}}
layers:
  - {{type: embedding, units: 3, name: letters}}
  - {{type: lstm, units: 3, layers: 2, stateful: true, recurrent_dropout: 0.2}}
  - {{type: tied, to: letters}}
loss: softmax_cross_entropy
optimizer: {{type: adam, lr: 0.01}}
training: {{epochs: 3, batch_size: 12}}
"""


class States(Callback):
    """Keeps the states that each step began with."""

    def __init__(self) -> None:
        self.begins: list[dict[str, Array]] = []

    def on_step(self, trainer: Trainer) -> None:
        state = trainer.experiment.network.state
        self.begins.append({name: array.copy() for name, array in state.items()})


def test_stopped_in_an_epoch_a_stateful_training_goes_on_with_the_same_bits() -> None:
    whole = trainer(text=TEXT)
    whole.fit()
    first = trainer(text=TEXT, callbacks=(StopAt(6),))
    first.fit()
    assert first.progress.batch
    saved = capture(first.experiment, first.progress)
    assert any(name.endswith("cell_1") for name in saved.arrays)
    again = experiment(text=TEXT)
    progress = restore(again, saved)
    second = Trainer(again, None, (), progress)
    second.fit()
    assert_same_bits(state_of(whole), state_of(second))


def test_evaluations_change_nothing_in_a_stateful_training() -> None:
    rare, often = trainer(text=TEXT), trainer("training.evaluate_steps=1", text=TEXT)
    rare.fit()
    often.fit()
    assert_same_bits(state_of(rare), state_of(often))


def test_epoch_begins_with_states_of_zeros() -> None:
    states = States()
    text = TEXT.replace(", recurrent_dropout: 0.2", "")
    one = trainer("optimizer.lr=1e-300", text=text, callbacks=(states,))
    one.fit()
    steps = len(states.begins) // 3
    first, second = states.begins[0], states.begins[steps]
    assert all(array.any() for array in first.values())
    # With weights and rows as they were, the first states are as they were.
    assert_same_bits(first, second)
