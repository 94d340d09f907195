"""What weights are before training: forget gates are open, and nothing shrinks what passes through it."""

import pytest
import torch
from tiny_models import tiny_model
from tiny_recurrent import CELLS

from s2s.model.attention import AdditiveAttention, ConcatAttention, GeneralAttention, ScaledDotAttention
from s2s.model.cells import LSTMReference
from s2s.model.kernel_cells import LSTM
from s2s.model.layer_norm_cells import LSTMLayerNorm
from s2s.model.product import Linear

WITH_FORGET_GATE = (LSTM, LSTMReference, LSTMLayerNorm)


@pytest.mark.parametrize("cell", CELLS)
def test_all_gates_begin_undecided_but_the_forget_gate_which_is_open(cell):
    stack = CELLS[cell](5, hidden_size=6, num_layers=2, bidirectional=True)
    for name, value in stack.named_parameters():
        kind = name.split("_")[0]
        if kind == "weight":
            assert 0 < value.abs().max() <= 6**-0.5
            continue
        expected = torch.full_like(value, kind == "gain")
        if isinstance(stack, WITH_FORGET_GATE) and name.startswith(("bias_ih", "shift_ih")):
            expected[6:12] = 1
        torch.testing.assert_close(value.detach(), expected, rtol=0, atol=0, msg=name)


def test_a_new_lstm_that_sees_nothing_keeps_most_of_its_memory():
    stack = LSTM(5, hidden_size=6)
    state = torch.zeros(1, 1, 6), torch.ones(1, 1, 6)
    _, (_, memory) = stack.step(torch.zeros(1, 5), state)
    torch.testing.assert_close(memory.detach(), torch.full((1, 1, 6), 1 / (1 + torch.e**-1)), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("inputs", "outputs"), [(300, 300), (200, 400), (400, 200)])
def test_a_linear_layer_neither_shrinks_nor_grows_what_passes_in_both_directions_together(inputs, outputs):
    """Glorot & Bengio (2010), eq. 12: the variance of a weight is two over the number of both its sides' units."""
    torch.manual_seed(1)
    layer = Linear(inputs, outputs)
    assert float(layer.weight.detach().var()) == pytest.approx(2 / (inputs + outputs), rel=0.02)
    assert not layer.bias.any()


@pytest.mark.parametrize("score", [GeneralAttention, AdditiveAttention, ConcatAttention, ScaledDotAttention])
def test_a_new_attention_looks_everywhere(score):
    torch.manual_seed(1)
    attention = score(256, memory_size=256)
    memory = attention.remember(torch.rand(8, 10, 256) - 0.5, torch.ones(8, 10, dtype=torch.bool))
    _, weights, _ = attention(torch.rand(8, 256) - 0.5, memory, attention.start(memory))
    assert weights.min() > 0.05
    assert weights.max() < 0.2


def test_the_attentional_state_of_a_new_model_fills_its_tanh():
    """Weights are five thirds of a linear layer's, within the bound of Glorot & Bengio (2010), eq. 16."""
    combine = tiny_model().decoder.combine
    bound = 5 / 3 * (6 / sum(combine.weight.shape)) ** 0.5
    assert 0.95 * bound < combine.weight.abs().max() <= bound
