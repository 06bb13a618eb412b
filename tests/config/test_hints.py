"""Hints: what other libraries and habits call things leads to their one name."""

from __future__ import annotations

from typing import Any

import pytest

from nncli.config.hints import sections
from nncli.config.load import load_values
from nncli.config.read import parse
from nncli.config.schema import Config
from nncli.core.aliases import folded, known_names, meant
from nncli.core.errors import NncliError
from nncli.core.registry import FAMILIES
from nncli.core.signature import signature_of
from nncli.core.text import advice, nearest
from tests.conftest import SMALL

# override of the small config: the end of what is said of it
SAID = {
    "lr=0.1": "Did you mean optimizer.lr?",
    "learning_rate=0.1": "Did you mean optimizer.lr?",
    "training.lr=0.1": "Did you mean optimizer.lr?",
    "optimizer.learning_rate=3": "Did you mean 'lr'?",
    "optimizer.epochs=3": "Did you mean training.epochs?",
    "epochs=3": "Did you mean training.epochs?",
    "patience=3": "Did you mean training.early_stopping.patience?",
    "ema=0.9": "Did you mean training.average?",
    "val=0.1": "Did you mean split.validation?",
    "validation=0.1": "Did you mean split.validation?",
    "split.val=0.1": "Did you mean 'validation'?",
    "training.seed=1": "Did you mean seed at the top of the config or split.seed?",
    "training.optimizer=adam": "Did you mean optimizer at the top of the config?",
    "optimizer.schedule=cosine": "Did you mean schedule at the top of the config?",
    "optimizer.optim=adam": "Did you mean optimizer?",
    "training.name=a": "Did you mean name at the top of the config?",
    "layers[0].name=a": "Leave it out: each part is called by its place.",
    "shuffle=true": "Training rows are always shuffled: leave it out.",
    "layers[1]={type: dropout, p: 0.3}": "Did you mean 'rate'?",
    "layers[0].activation=relu": "put it behind this one.",
    "dataset={type: csv, path: x.csv, inputs: [a]}": "Did you mean 'features'?",
    "layers[0].in_features=2": "Input sizes are inferred: leave it out.",
    "layers[1]=linear": "Did you mean 'dense'?",
    "layers[1]=swish": "Did you mean 'silu'?",
    "layers[1]=BatchNorm1d": "Did you mean 'batch_norm'?",
    "layers[1]=LeakyReLU": "Did you mean 'leaky_relu'?",
    "layers[1]=none": "Leave it out.",
    "layers[0]={dense: 64}": "write {type: dense, units: 64}.",
    "layers[0]={Linear: {out_features: 4}}": "write {type: dense, units: 4}.",
    "layers[0]={relu: }": "write relu, a bare name.",
    "layers[0].init=none": "Write null, or leave it out.",
    "training.clip_norm=none": "Write null.",
    "transforms=none": "Write [].",
    "metrics=accuracy": "Write [accuracy].",
    "metrics=[acc]": "Did you mean 'accuracy'?",
    "schedule=none": "Did you mean 'constant'?",
    "schedule=cosine_annealing": "Did you mean 'cosine'?",
    "loss=bce": "Did you mean 'binary_cross_entropy'?",
    "loss=cross_entropy": "Did you mean 'softmax_cross_entropy'?",
    "loss=CrossEntropyLoss": "Did you mean 'softmax_cross_entropy'?",
    "loss=mse_loss": "Did you mean 'mse'?",
    "loss=l1": "Did you mean 'mae'?",
    "training.monitor=acc": "Did you mean 'accuracy'?",
}


@pytest.mark.parametrize(("override", "end"), SAID.items(), ids=list(SAID))
def test_hint_knows_what_people_write(override: str, end: str) -> None:
    values: Any = parse(SMALL, "small").value
    with pytest.raises(NncliError) as caught:
        load_values(values, [override])
    first = str(caught.value).splitlines()[0]
    assert first.endswith(end), first


def test_hint_on_configs_is_not_given_of_the_columns_of_a_table() -> None:
    for name in ("device", "inputs", "none", "shuffle"):
        assert nearest(name, ["a", "b"]) == "Expected one of: a, b."
        assert "a, b" not in advice(name, ["a", "b"])


def test_alias_is_no_second_name() -> None:
    names = {name for family in FAMILIES.values() for name in family.members()}
    for family in FAMILIES.values():
        for member in family.members().values():
            names |= set(signature_of(member).arguments)
    for cls in (Config, *sections().values()):
        names |= set(signature_of(cls).arguments)
    # What the table leads to exists.
    assert set(known_names()) - names == set()


def test_many_names_are_not_all_listed() -> None:
    names = [f"member_{i}" for i in range(60)]
    text = nearest("zzz", names)
    assert text.startswith("The nearest of 60: ")
    assert text.count("member") == 6


def test_name_is_folded() -> None:
    assert folded("Batch-Norm_1D") == "batchnorm1d"
    assert meant("", ["dense"]) == []
    assert meant("BATCH NORM", ["batch_norm"]) == ["batch_norm"]
