# Copyright 2026 The A-MESS for Hugging Face authors.
# SPDX-License-Identifier: Apache-2.0
"""The fusion's attention: the same result on both of its ways, and the cost of each."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from modeling_amess.fusion_amess import AmessAttention, AmessAttentionProjection

from .tiny import tiny_config


HEADS, HIDDEN = 4, 32


def attention(key_size: int, implementation: str = "sdpa", **fields) -> AmessAttention:
    torch.manual_seed(0)
    return AmessAttention(tiny_config(attn_implementation=implementation, **fields), key_size).eval()


def inputs(queries: int, keys: int, key_size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three rows: all keys are real, half of them, none."""
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(3, queries, HIDDEN, generator=generator)
    key = torch.randn(3, keys, key_size, generator=generator)
    return query, key, torch.arange(keys) < torch.tensor([[keys], [(keys + 1) // 2], [0]])


def by_definition(module, query, key, mask) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(Q K^T / sqrt(d)) V of every head, from projected keys and values; zero in the row without keys."""

    def heads(states):
        return states.unflatten(-1, (HEADS, -1)).transpose(1, 2)

    q, k, v = heads(module.q_proj(query)), heads(module.k_proj(key)), heads(module.v_proj(key))
    scores = (q @ k.transpose(2, 3) / (HIDDEN // HEADS) ** 0.5).masked_fill(~mask[:, None, None], float("-inf"))
    weights = scores.softmax(-1).nan_to_num()
    return (weights @ v).transpose(1, 2).flatten(2), weights


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@settings(max_examples=30, deadline=None)
@given(queries=st.integers(1, 12), keys=st.integers(1, 90), key_size=st.sampled_from([5, 32, 64]))
def test_output_and_weights_are_those_of_the_definition(implementation, queries, keys, key_size):
    module, batch = attention(key_size, implementation), inputs(queries, keys, key_size)
    expected_output, expected_weights = by_definition(module, *batch)
    torch.testing.assert_close(module(*batch)[0], expected_output, atol=1e-5, rtol=1e-4)
    output, weights = module(*batch, output_attentions=True)
    torch.testing.assert_close(output, expected_output, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(weights, expected_weights, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("keys", [3, 60])
def test_gradients_are_those_of_the_definition(keys):
    module, (query, key, mask) = attention(16), inputs(5, keys, 16)

    def gradients(output):
        return torch.autograd.grad(output.square().sum(), list(module.parameters()))

    expected = gradients(by_definition(module, query, key, mask)[0])
    for actual, wanted in zip(gradients(module(query, key, mask)[0]), expected, strict=True):
        torch.testing.assert_close(actual, wanted, atol=1e-4, rtol=1e-3)


def products(function) -> int:
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


@settings(max_examples=30, deadline=None)
@given(queries=st.integers(1, 30), keys=st.integers(1, 120), key_size=st.sampled_from([8, 32, 96]))
def test_it_never_costs_more_than_projecting_every_key(queries, keys, key_size):
    module, batch = attention(key_size), inputs(queries, keys, key_size)
    assert products(lambda: module(*batch)) <= products(lambda: by_definition(module, *batch))


def test_a_few_tokens_that_read_many_frames_cost_a_fraction():
    module, batch = attention(64), inputs(4, 200, 64)
    assert products(lambda: module(*batch)) < 0.4 * products(lambda: by_definition(module, *batch))


def test_a_layer_in_the_place_of_a_projection_is_called():
    """Adapters and quantization wrap or replace the projections, which then compute more than their weight says."""

    class Adapter(nn.Module):
        def __init__(self, base: nn.Linear):
            super().__init__()
            self.base, self.weight = base, base.weight

        def forward(self, states):
            return 3 * self.base(states)

    module, batch = attention(16), inputs(3, 50, 16)
    assert isinstance(module.k_proj, AmessAttentionProjection)
    plain = module(*batch)[0]
    module.k_proj = Adapter(module.k_proj)
    adapted = module(*batch)[0]
    torch.testing.assert_close(adapted, by_definition(module, *batch)[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(adapted, plain, atol=1e-2)


def test_a_weight_that_is_no_plain_parameter_is_left_to_its_layer():
    """Quantized and sharded weights are tensors of classes of their own, made for matrix products."""

    class Packed(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is not nn.functional.linear:
                return super().__torch_function__(func, types, args, kwargs or {})
            states, weight = args[:2]
            return nn.functional.linear(states, weight.as_subclass(torch.Tensor))

        def view(self, *shape):
            raise NotImplementedError("packed weights have no view")

    module, batch = attention(16), inputs(3, 50, 16)
    expected = module(*batch)[0]
    weight = module.k_proj.weight.detach().as_subclass(Packed)
    module.k_proj.weight = nn.Parameter(weight, requires_grad=False)
    torch.testing.assert_close(module(*batch)[0], expected, atol=1e-5, rtol=1e-4)


def test_dropout_keeps_the_mean_whatever_the_way():
    """Dropping weights of attention scales the others: over many draws the output stays that without dropout."""
    for keys in (2, 40):
        module, (query, key, mask) = attention(16, fusion_dropout=0.3), inputs(3, keys, 16)
        expected = module(query, key, mask)[0]
        many = [part.repeat(2000, 1, 1) if part.dim() == 3 else part.repeat(2000, 1) for part in (query, key, mask)]
        dropped = module.train()(*many)[0].unflatten(0, (2000, 3))
        assert not torch.allclose(dropped[0], expected, atol=1e-3)
        torch.testing.assert_close(dropped.mean(0), expected, atol=0.12, rtol=0)
