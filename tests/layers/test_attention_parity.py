"""Attention and the transformer block against PyTorch, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nncli as nn
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array
from nncli.core.randomness import Streams
from nncli.network.network import Network
from nncli.ops import attention, attention_pieces
from nncli.ops.attention import Attention
from tests.parity import assert_agrees

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
torch.set_num_threads(1)

pytestmark = pytest.mark.parity

FLOAT64 = np.dtype(np.float64)
LENGTHS = np.array([5, 2, 1])


def visible(lengths: Array | None, steps: int, causal: bool) -> Any:
    """Return which keys (last axis) PyTorch's queries may look at."""
    seen = torch.ones((3, 1, steps, steps), dtype=torch.bool)
    if causal:
        seen = seen.tril()
    if lengths is not None:
        within = torch.arange(steps) < torch.tensor(lengths)[:, None]
        seen = seen & within[:, None, None, :]
    return seen


@pytest.fixture(params=["whole", "in pieces", "computed again"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the work as large sizes are cut; keep no weights."""
    if request.param != "whole":
        monkeypatch.setattr(attention_pieces, "TOGETHER", 2 * 5 * 8)
        monkeypatch.setattr(attention_pieces, "BLOCK", 2)
    if request.param == "computed again":
        monkeypatch.setattr(attention, "KEEP", 0)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("heads", "kv_heads"), [(1, 1), (4, 4), (4, 2), (3, 1)])
def test_attention_op_agrees_with_torch(
    heads: int, kv_heads: int, causal: bool, lengths: Array | None
) -> None:
    size, steps = 3, 5
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, steps, (heads + 2 * kv_heads) * size))
    g = rng.normal(size=(3, steps, heads * size))
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    given = () if lengths is None else (Tensor(lengths),)
    y = apply(Attention(heads, kv_heads, causal), ours, *given)
    parts = theirs.split([heads * size, kv_heads * size, kv_heads * size], dim=2)
    q, k, v = (p.reshape(3, steps, -1, size).transpose(1, 2) for p in parts)
    mask = visible(lengths, steps, causal)
    expected = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, mask, enable_gqa=True
    )
    expected = expected.transpose(1, 2).reshape(3, steps, -1)
    assert_agrees(y.data, expected.detach(), "value")
    (y * Tensor(g)).sum().backward()
    expected.backward(torch.tensor(g))
    assert_agrees(ours.grad, theirs.grad, "gradient")


@pytest.mark.usefixtures("pieces")
def test_attention_dropout_agrees_with_torch_given_its_mask() -> None:
    heads, size, steps, rate = 2, 3, 5, 0.4
    x = np.random.default_rng(0).normal(size=(3, steps, 3 * heads * size))
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    function = Attention(heads, heads, rate=rate, rng=np.random.default_rng(1))
    y = apply(function, ours)
    stays = np.empty((3, heads, 1, steps, steps))
    for piece, drawn in zip(function.pieces, function.drops, strict=True):
        stays[piece.place] = drawn.reshape(piece.shape).transpose(1, 2, 3, 4, 0)
    assert 0 < stays.mean() < 1
    parts = theirs.reshape(3, steps, 3, heads, size).permute(2, 0, 3, 1, 4)
    q, k, v = parts
    weights = torch.softmax(q @ k.transpose(-1, -2) / size**0.5, -1)
    kept = weights * torch.tensor(stays[:, :, 0]) / (1 - rate)
    expected = (kept @ v).transpose(1, 2).reshape(3, steps, -1)
    assert_agrees(y.data, expected.detach(), "value")
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    assert_agrees(ours.grad, theirs.grad, "gradient")


def compare(layer: Any, module: Any, names: dict[str, str], call: Any) -> None:
    """Compare value and every gradient, with lengths and without."""
    network = Network([layer], (5, 8), Streams(0), FLOAT64)
    network.set_training(True)
    tensors = network.flat.tensors
    rng = np.random.default_rng(3)
    network.flat.values[:] = rng.normal(0, 0.5, network.flat.values.size)
    theirs = dict(module.named_parameters())
    assert len(theirs) == len(names) == len(tensors)
    with torch.no_grad():
        for mine, other in names.items():
            theirs[other].copy_(torch.tensor(np.array(tensors[mine].data)))
    for lengths in (None, LENGTHS):
        network.flat.grads.fill(0)
        module.zero_grad()
        x, g = rng.normal(size=(2, 3, 5, 8))
        one = Tensor(x, requires_grad=True, lengths=lengths)
        two = torch.tensor(x, requires_grad=True)
        hidden = None
        if lengths is not None:
            hidden = torch.arange(5) >= torch.tensor(lengths)[:, None]
        y, expected = network(one), call(two, hidden)
        assert_agrees(y.data, expected.detach(), "value")
        (y * Tensor(g)).sum().backward()
        expected.backward(torch.tensor(g))
        assert_agrees(one.grad, two.grad, "input")
        for mine, other in names.items():
            assert_agrees(tensors[mine].grad, theirs[other].grad, mine)


def attention_names(ours: str, theirs: str, bias: bool) -> dict[str, str]:
    """Return PyTorch's name of each parameter of an attention layer."""
    names = {
        f"{ours}weight": f"{theirs}in_proj_weight",
        f"{ours}out_weight": f"{theirs}out_proj.weight",
    }
    if bias:
        names[f"{ours}bias"] = f"{theirs}in_proj_bias"
        names[f"{ours}out_bias"] = f"{theirs}out_proj.bias"
    return names


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_attention_layer_agrees_with_torch(causal: bool, bias: bool) -> None:
    module = torch.nn.MultiheadAttention(8, 4, bias=bias, batch_first=True).double()
    later = torch.ones((5, 5), dtype=torch.bool).triu(1) if causal else None

    def call(x: Any, hidden: Any) -> Any:
        return module(
            x, x, x, key_padding_mask=hidden, need_weights=False, attn_mask=later
        )[0]

    names = attention_names("layers.0.", "", bias)
    compare(nn.layers.Attention(4, causal=causal, bias=bias), module, names, call)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_transformer_block_agrees_with_torch(
    norm: Any, activation: Any, causal: bool
) -> None:
    module = torch.nn.TransformerEncoderLayer(
        8, 2, 12, 0.0, activation, batch_first=True, norm_first=norm == "pre"
    ).double()
    later = torch.ones((5, 5), dtype=torch.bool).triu(1) if causal else None
    layer = nn.layers.TransformerBlock(
        2, units=12, activation=activation, norm=norm, causal=causal
    )
    place = "layers.0.layers"
    where = {
        "pre": ["0.layers.0", "0.layers.1", "1.layers.0", "1.layers.1", "1.layers.3"],
        "post": ["1", "0.layers.0", "3", "2.layers.0", "2.layers.2"],
    }[norm]
    norm1, attend, norm2, dense1, dense2 = (f"{place}.{part}" for part in where)
    names = attention_names(f"{attend}.", "self_attn.", bias=True)
    for mine, other in ((norm1, "norm1"), (norm2, "norm2")):
        names |= {f"{mine}.gamma": f"{other}.weight", f"{mine}.beta": f"{other}.bias"}
    for mine, other in ((dense1, "linear1"), (dense2, "linear2")):
        names |= {f"{mine}.{part}": f"{other}.{part}" for part in ("weight", "bias")}

    def call(x: Any, hidden: Any) -> Any:
        return module(x, src_mask=later, src_key_padding_mask=hidden)

    compare(layer, module, names, call)


def turned(x: Any) -> Any:
    """Return x (N, H, T, d), turned by the angles of its steps, as GPT-NeoX does."""
    steps, half = x.shape[2], x.shape[3] // 2
    speeds = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(steps)[:, None] * torch.cat([speeds, speeds])
    swapped = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * angles.cos() + swapped * angles.sin()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kv_heads", [None, 2, 1])
def test_rotary_attention_agrees_with_plain_torch(
    kv_heads: int | None, causal: bool
) -> None:
    heads, size = 4, 2
    kv = kv_heads or heads
    layer = nn.layers.Attention(heads, kv_heads, causal=causal, rotary=True)
    module = torch.nn.ModuleDict(
        {
            "give": torch.nn.Linear(8, (heads + 2 * kv) * size),
            "out": torch.nn.Linear(8, 8),
        }
    ).double()

    def call(x: Any, hidden: Any) -> Any:
        parts = module["give"](x).split([heads * size, kv * size, kv * size], dim=2)
        q, k, v = (part.reshape(3, 5, -1, size).transpose(1, 2) for part in parts)
        q, k = turned(q), turned(k).repeat_interleave(heads // kv, dim=1)
        mask = visible(None if hidden is None else LENGTHS, 5, causal)
        scores = (q @ k.transpose(-1, -2) / size**0.5).masked_fill(~mask, -torch.inf)
        y = torch.softmax(scores, -1) @ v.repeat_interleave(heads // kv, dim=1)
        return module["out"](y.transpose(1, 2).reshape(3, 5, 8))

    names = {
        f"layers.0.{mine}{part}": f"{other}.{part}"
        for mine, other in (("", "give"), ("out_", "out"))
        for part in ("weight", "bias")
    }
    compare(layer, module, names, call)


def test_gated_block_agrees_with_plain_torch() -> None:
    module = torch.nn.ModuleDict(
        {
            "attend": torch.nn.MultiheadAttention(8, 2, batch_first=True),
            "norm1": torch.nn.LayerNorm(8),
            "norm2": torch.nn.LayerNorm(8),
            "gate": torch.nn.Linear(8, 6),
            "wide": torch.nn.Linear(8, 6),
            "out": torch.nn.Linear(6, 8),
        }
    ).double()

    def call(x: Any, hidden: Any) -> Any:
        z = module["norm1"](x)
        attended = module["attend"](
            z, z, z, key_padding_mask=hidden, need_weights=False
        )
        x = x + attended[0]
        z = module["norm2"](x)
        gate = torch.nn.functional.silu(module["gate"](z))
        return x + module["out"](gate * module["wide"](z))

    first, second = ("layers.0.layers.0.layers", "layers.0.layers.1.layers")
    names = attention_names(f"{first}.1.", "attend.", bias=True)
    for mine, other in ((f"{first}.0", "norm1"), (f"{second}.0", "norm2")):
        names |= {f"{mine}.gamma": f"{other}.weight", f"{mine}.beta": f"{other}.bias"}
    for mine, other in (
        ("1.branches.0.layers.0", "gate"),
        ("1.branches.1", "wide"),
        ("2", "out"),
    ):
        for part in ("weight", "bias"):
            names[f"{second}.{mine}.{part}"] = f"{other}.{part}"
    compare(
        nn.layers.TransformerBlock(2, units=6, activation="swiglu"), module, names, call
    )


def test_learned_positions_agree_with_torch() -> None:
    module = torch.nn.Embedding(7, 8).double()
    names = {"layers.0.weight": "weight"}
    compare(
        nn.layers.Positions(block=7),
        module,
        names,
        lambda x, _: x + module(torch.arange(5)),
    )
