"""The cost of a model, against formulas worked out by hand."""

import copy

import pytest
import torch
from tiny_models import tiny_model

from s2s.model.attention import AdditiveAttention, GeneralAttention
from s2s.model.cost import count_parameters, multiply_adds
from s2s.model.decoder import BahdanauDecoder
from s2s.model.kernel_cells import GRU, LSTM
from s2s.model.readout import MaxoutReadout

# Sizes of the tiny models: embedding, decoder state, memory, target vocabulary, source vocabulary.
E, H, D, V, V_SOURCE = 4, 6, 6, 13, 11
GATES, PARTS = {LSTM: 4, GRU: 3}, {LSTM: 2, GRU: 1}


def luong(cell, source, target):
    """Bidirectional encoder, linear bridge, general attention, input feeding, linear readout over the vocabulary.

    A layer of g gates from I to H: g·H·(I + H) per position. Keys: D·H per source position. A look: H per source
    position for the scores and D for the context.
    """
    encoder = 2 * source * GATES[cell] * (D // 2) * (E + D // 2)
    bridge = PARTS[cell] * D * H
    keys = source * D * H
    step = GATES[cell] * H * ((E + H) + H) + source * (H + D) + (D + H) * H + H * V
    return (encoder + bridge + keys + target * step) / target


def bahdanau(cell, source, target):
    """The same encoder, additive attention (v costs H per source position), deep output of 2·H maxout units."""
    encoder = 2 * source * GATES[cell] * (D // 2) * (E + D // 2)
    bridge = PARTS[cell] * D * H
    keys = source * D * H
    look = H * H + source * (H + D)
    step = look + GATES[cell] * H * ((E + D) + H) + (H + E + D) * 2 * H + H * V
    return (encoder + bridge + keys + target * step) / target


DECODERS = [
    (luong, {"attention": GeneralAttention}),
    (bahdanau, {"attention": AdditiveAttention, "decoder": BahdanauDecoder, "readout": MaxoutReadout}),
]


@pytest.mark.parametrize("cell", [LSTM, GRU])
@pytest.mark.parametrize(("formula", "parts"), DECODERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_multiply_adds_of_a_pair_of_twenty_tokens_are_as_worked_by_hand(cell, formula, parts, dtype):
    model = tiny_model(rnn=cell, **parts).to(dtype)
    assert multiply_adds(model) == round(formula(cell, 20, 20))


@pytest.mark.parametrize(("source", "target"), [(1, 1), (5, 3), (3, 5)])
def test_multiply_adds_follow_the_lengths(source, target):
    counted = multiply_adds(tiny_model(), source_tokens=source, target_tokens=target)
    assert counted == round(luong(LSTM, source, target))


def test_counting_leaves_the_model_as_it_is():
    model = tiny_model().float().train()
    before = copy.deepcopy(model.state_dict())
    multiply_adds(model)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_parameters_of_a_model_are_as_worked_by_hand():
    embeddings = (V_SOURCE + V) * E
    layers = 2 * 4 * (D // 2) * (E + D // 2 + 2) + 4 * H * (E + H + H + 2)
    bridge = 2 * (D * H + H)
    attention, combine, readout = D * H, (D + H) * H, V * H + V
    assert count_parameters(tiny_model()) == embeddings + layers + bridge + attention + combine + readout


def test_tied_weights_count_once():
    # Tied, the readout reads features of width E through the target embedding, which a map from H makes.
    free, tied = (count_parameters(tiny_model(tie_readout=tied)) for tied in (False, True))
    assert free - tied == V * H - H * E
