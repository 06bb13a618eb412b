from __future__ import annotations

import numpy as np
import pytest

from nncli.autograd.tensor import Tensor
from nncli.core.arrays import DTYPES
from nncli.core.errors import ArgumentError
from nncli.core.randomness import Streams
from nncli.layers.base import LayerError
from nncli.layers.embed_columns import EmbedColumns
from nncli.network.network import Network
from tests.parity import assert_agrees

RNG = np.random.default_rng(0)


def test_rare_and_unseen_values_are_zeros_at_first() -> None:
    network = Network([EmbedColumns([[4, 3]])], (2,), Streams(0), DTYPES["float64"])
    found = network(Tensor(np.array([[7.0, 0.0], [8.0, 2.0]]))).data
    assert found[0].tolist() == [7, 0, 0, 0]
    assert (found[1, 1:] != 0).all()


@pytest.mark.parity
def test_vectors_and_their_gradients_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    network = Network(
        [EmbedColumns([[4, 3], [6, 2]])], (4,), Streams(0), DTYPES["float64"]
    )
    codes = np.stack([RNG.integers(0, 4, 9), RNG.integers(0, 6, 9)], axis=1)
    x = np.concatenate([RNG.normal(size=(9, 2)), codes], axis=1)
    tables = [
        torch.tensor(table.data.copy(), requires_grad=True)
        for table in network.layers[0].parameters.values()
    ]
    parts = [
        torch.nn.functional.embedding(torch.tensor(codes[:, i]), table)
        for i, table in enumerate(tables)
    ]
    theirs = torch.cat([torch.tensor(x[:, :2]), *parts], dim=1)
    c = RNG.normal(size=theirs.shape)
    (theirs * torch.tensor(c)).sum().backward()
    ours = network(Tensor(x))
    (ours * Tensor(c)).sum().backward()
    assert_agrees(ours.data, theirs.detach(), "value")
    for mine, table in zip(network.flat.leaves, tables, strict=True):
        assert_agrees(mine.grad, table.grad, "gradient")


def test_tables_without_rows_and_inputs_without_codes_are_refused() -> None:
    with pytest.raises(ArgumentError, match="each at least 1"):
        EmbedColumns([[0, 3]])
    with pytest.raises(LayerError, match="at least 2 codes"):
        Network([EmbedColumns([[2, 2], [2, 2]])], (1,), Streams(0), DTYPES["float64"])
