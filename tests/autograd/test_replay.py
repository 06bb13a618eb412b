"""Replay: the same bits as eager mode, and nothing allocated that grows."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nncli.autograd.flat import Flat
from nncli.autograd.replay import Replay
from nncli.autograd.tape import record
from nncli.autograd.tensor import Tensor


def test_replay_follows_new_inputs_and_parameters() -> None:
    rng = np.random.default_rng(0)
    flat = Flat({"w": Tensor(rng.normal(size=(3, 2)), requires_grad=True)})
    (w,) = flat.leaves
    x = Tensor(rng.normal(size=(5, 3)))
    with record() as steps:
        loss = ((x @ w).tanh() ** 2.0).mean()
    replay = Replay(steps, [loss], loss, flat.leaves)
    for seed in range(3):
        fresh = np.random.default_rng(seed)
        np.copyto(x.data, fresh.uniform(0.1, 1.0, (5, 3)))
        np.copyto(flat.values, fresh.uniform(0.1, 1.0, 6))
        replay.forward()
        replay.backward()
        v = Tensor(w.data.copy(), requires_grad=True)
        eager = ((Tensor(x.data) @ v).tanh() ** 2.0).mean()
        eager.backward()
        np.testing.assert_array_equal(loss.data, eager.data)
        np.testing.assert_array_equal(flat.grads.reshape(3, 2), v.grad)


def test_replay_zeroes_the_gradient_of_a_leaf_that_is_not_used() -> None:
    flat = Flat(
        {
            "used": Tensor(np.ones(2), requires_grad=True),
            "unused": Tensor(np.ones(3), requires_grad=True),
        }
    )
    used, unused = flat.leaves
    with record() as steps:
        loss = used.sum()
    flat.grads.fill(7.0)
    replay = Replay(steps, [loss], loss, [used, unused])
    replay.backward()
    np.testing.assert_array_equal(flat.grads, [1, 1, 0, 0, 0])


def test_replay_reuses_gradient_buffers() -> None:
    x = Tensor(np.ones((50, 50)), requires_grad=True)
    with record() as steps:
        y = x
        for _ in range(20):
            y = y @ x
        loss = y.sum()
    replay = Replay(steps, [loss], loss, [x])
    # 20 products would need 20 gradients of 20 kB each; three are alive at a time.
    assert replay.bytes <= 4 * x.data.nbytes


def _peak(rows: int) -> int:
    """Return the bytes that ten replayed steps allocate at most, of a whole network."""
    from nncli.core.randomness import Streams
    from nncli.data.batches import Batch
    from nncli.layers.activations import Relu
    from nncli.layers.dense import Dense
    from nncli.layers.dropout import Dropout
    from nncli.layers.normalization import BatchNorm
    from nncli.losses.classification import SoftmaxCrossEntropy
    from nncli.network.network import Network
    from nncli.optimizers.adam import Adam
    from nncli.training.step import TrainingStep

    layers = [Dense(32, l2=1e-3), BatchNorm(), Relu(), Dropout(0.3), Dense(5)]
    network = Network(layers, (8,), Streams(0), np.dtype(np.float32))
    optimizer = Adam()
    optimizer = optimizer.over(network.flat)
    step = TrainingStep(network, SoftmaxCrossEntropy(), optimizer, clip_norm=1.0)
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=(rows, 8)).astype(np.float32))
    batch = Batch(x, Tensor(rng.integers(0, 5, rows)), rows)
    step.run(batch, 0.01, 0)
    tracemalloc.start()
    try:
        for number in range(10):
            step.run(batch, 0.01, number)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_replayed_step_allocates_nothing_that_grows_with_the_batch() -> None:
    small, large, huge = _peak(64), _peak(4096), _peak(65_536)
    # NumPy's ufuncs buffer up to 8,192 elements where they cast or broadcast.
    assert large - small < 8192 * 4, (small, large)
    # One bool for each of the rows between would be 60 KiB.
    assert huge - large < 4096, (large, huge)
