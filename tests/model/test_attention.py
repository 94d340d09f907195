"""Attention: scores as the papers write them, weights that see real tokens alone, queries that do not meet."""

import math

import numpy as np
import pytest
import torch
from tiny_models import SCORES, assert_same

from s2s.errors import InputError
from s2s.model.attention import (
    AdditiveAttention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    Memory,
    ScaledDotAttention,
)

every_score = pytest.mark.parametrize("score", SCORES)
LENGTHS = [4, 2, 1]


def attention(score, width=4):
    torch.manual_seed(11)
    return score(4, memory_size=width).double()


def random(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def memory_of(module, width=4):
    values = random(3, 5, width)
    return Memory(values, module.keys(values), torch.arange(5) < torch.tensor(LENGTHS)[:, None])


def weight(linear):
    return linear.weight.detach().numpy()


def additive(module, h, s):
    return module.v.detach().numpy() @ np.tanh(weight(module.project_query) @ h + weight(module.project_memory) @ s)


def dot(module, h, s):
    return h @ s


def scaled_dot(module, h, s):
    return h @ s / np.sqrt(len(h))


def general(module, h, s):
    return h @ weight(module.project_memory) @ s


def concat(module, h, s):
    return module.v.detach().numpy() @ np.tanh(weight(module.project) @ np.concatenate([h, s]))


@pytest.mark.parametrize(
    ("score", "equation", "width"),
    [
        (AdditiveAttention, additive, 3),
        (DotAttention, dot, 4),
        (ScaledDotAttention, scaled_dot, 4),
        (GeneralAttention, general, 3),
        (ConcatAttention, concat, 3),
    ],
)
def test_a_score_is_its_equation_written_out(score, equation, width):
    module = attention(score, width)
    memory, queries = memory_of(module, width), random(6, 4)
    context, weights = module(queries, memory)
    for row in range(6):
        sentence = row // 2
        values = memory.values[sentence, : LENGTHS[sentence]].numpy()
        energy = np.array([equation(module, queries[row].numpy(), value) for value in values])
        expected = np.exp(energy) / np.exp(energy).sum()
        np.testing.assert_allclose(weights[row, : len(values)].detach(), expected, rtol=1e-12)
        np.testing.assert_allclose(context[row].detach(), expected @ values, rtol=1e-12, atol=1e-14)


def test_dot_attention_by_hand():
    states = torch.eye(2, dtype=torch.float64)[None]
    queries = torch.tensor([[math.log(3), 0.0], [0.0, math.log(4)]], dtype=torch.float64)
    context, weights = DotAttention(2, memory_size=2)(
        queries, Memory(states, states, torch.ones(1, 2, dtype=torch.bool))
    )
    expected = torch.tensor([[3 / 4, 1 / 4], [1 / 5, 4 / 5]], dtype=torch.float64)
    assert_same((weights, context), (expected, expected))


@every_score
def test_weights_are_one_in_sum_and_zero_on_padding(score):
    module = attention(score)
    memory = memory_of(module)
    weights = module(random(6, 4), memory)[1].view(3, 2, 5)
    assert_same(weights.sum(dim=-1), torch.ones(3, 2, dtype=torch.float64))
    real = memory.mask[:, None].expand_as(weights)
    assert (weights[real] > 0).all()
    assert (weights[~real] == 0).all()


def test_padding_has_no_weight_however_low_the_scores_of_real_tokens_are():
    values = torch.tensor([[[1.0], [2.0], [0.0]]], dtype=torch.float64)
    memory = Memory(values, values, torch.tensor([[True, True, False]]))
    context, weights = DotAttention(1, memory_size=1)(torch.tensor([[-1e9]], dtype=torch.float64), memory)
    assert weights.tolist() == [[1, 0, 0]]
    assert context.tolist() == [[1]]


@every_score
def test_a_source_of_one_word_has_all_the_weight(score):
    module = attention(score)
    memory = memory_of(module).select(torch.tensor([2]))
    context, weights = module(random(1, 4), memory)
    assert weights.tolist() == [[1, 0, 0, 0, 0]]
    assert torch.equal(context, memory.values[:, 0])


@every_score
@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e200])
def test_keys_of_padding_are_not_seen_whatever_they_hold(score, garbage):
    module = attention(score)
    memory = memory_of(module)
    spoilt = Memory(memory.values, memory.keys.masked_fill(~memory.mask[..., None], garbage), memory.mask)
    for seen, expected in zip(module(random(6, 4), spoilt), module(random(6, 4), memory), strict=True):
        assert torch.equal(seen, expected)


@every_score
def test_rows_of_one_sentence_are_the_same_as_sentences_with_a_memory_each(score):
    module = attention(score)
    memory, queries = memory_of(module), random(6, 4)
    copied = memory.select(torch.arange(3).repeat_interleave(2))
    assert_same(module(queries, memory), module(queries, copied))


@every_score
def test_a_selected_memory_gives_what_its_sentences_gave(score):
    module = attention(score)
    memory, queries = memory_of(module), random(3, 4)
    context, weights = module(queries, memory)
    chosen = torch.tensor([2, 0])
    assert_same(module(queries[chosen], memory.select(chosen)), (context[chosen], weights[chosen]))


@every_score
def test_weights_are_float32_even_where_states_are_narrower(score):
    module = attention(score).bfloat16()
    values = random(3, 5, 4).bfloat16()
    context, weights = module(
        random(3, 4).bfloat16(), Memory(values, module.keys(values), memory_of(attention(score)).mask)
    )
    assert (context.dtype, weights.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize("score", [DotAttention, ScaledDotAttention])
def test_a_dot_of_unequal_widths_is_refused(score):
    with pytest.raises(InputError, match="one width, got 4 and 3; use model/attention=general or"):
        score(4, memory_size=3)


def test_additive_attention_takes_a_width_of_its_own():
    module = AdditiveAttention(4, memory_size=3, hidden_size=7)
    assert module.keys(torch.zeros(1, 2, 3)).shape == (1, 2, 7)
    assert AdditiveAttention(4, memory_size=3).keys(torch.zeros(1, 2, 3)).shape == (1, 2, 4)
