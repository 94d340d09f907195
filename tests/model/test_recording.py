"""Looking on: what is recorded is what the model computed, and the model computes the same as unseen."""

from functools import partial

import pytest
import torch
from tiny_models import DECODERS, SCORES, TARGETS, WINDOWS, assert_same, batch_of, model_of, name_of, tiny_model
from tiny_recurrent import CELLS, first_state, inputs, stack

from s2s.model.kernel_cells import GRU, LSTM, RNN
from s2s.model.multihead_attention import MultiHeadAttention
from s2s.model.recording import recorded_attention, recorded_cells
from s2s.model.window import LocalMonotonicWindow, LocalPredictiveWindow

every_cell = pytest.mark.parametrize("cell", CELLS)
every_decoder = pytest.mark.parametrize("decoder", DECODERS)


def at(updates, layer, reverse, name):
    """One value of one layer and direction over all positions, in the order of the sentence: (B, T, H)."""
    values = [one.activations[name] for one in updates if (one.layer, one.reverse) == (layer, reverse)]
    return torch.stack(values[::-1] if reverse else values, dim=1)


@every_cell
def test_recorded_states_are_the_outputs_of_the_scan(cell):
    recurrent = stack(cell, num_layers=2, bidirectional=True)
    x, state = inputs(1, 5), first_state(recurrent, 1)
    expected, final = recurrent.scan(x, state=state)
    with recorded_cells(recurrent) as updates:
        outputs, seen = recurrent.scan(x, state=state)
    assert_same((outputs, seen), (expected, final))
    assert len(updates) == 2 * 2 * 5
    both = torch.cat([at(updates, 1, reverse, "hidden") for reverse in (False, True)], dim=-1)
    assert_same(both, expected)
    if recurrent.state_parts == 2:
        last = torch.cat([at(updates, 1, False, "memory")[:, -1], at(updates, 1, True, "memory")[:, 0]], dim=-1)
        assert_same(last, final[1][:, 1])


@every_cell
def test_nothing_is_noted_after_the_block_even_if_it_ends_in_an_error(cell):
    recurrent = stack(cell)
    with pytest.raises(IndexError), recorded_cells(recurrent) as updates:
        recurrent.scan(inputs(1, 2), state=())
    recurrent.scan(inputs(1, 2))
    assert updates == []
    assert not recurrent._forward_hooks


@pytest.mark.parametrize("cell", [name for name in CELLS if name != "rnn relu" and "reference relu" not in name])
def test_gates_are_between_0_and_1_and_contents_between_minus_1_and_1(cell):
    recurrent = stack(cell)
    with recorded_cells(recurrent) as updates:
        recurrent.scan(inputs(4, 6))
    for update in updates:
        for name, values in update.activations.items():
            if "gate" in name:
                assert 0 < values.min() <= values.max() < 1
            elif "memory" not in name:
                assert values.abs().max() <= 1


def test_the_memory_of_an_lstm_is_what_its_gates_kept_and_let_in():
    recurrent = stack("lstm")
    x, (hidden, memory) = inputs(3, 1), first_state(recurrent, 3)
    with recorded_cells(recurrent) as updates:
        recurrent.step(x[:, 0], (hidden, memory))
    values = updates[0].activations
    kept = values["forget_gate"] * memory[:, 0] + values["input_gate"] * values["content"]
    assert_same(values["memory"], kept)
    assert_same(values["hidden"], values["output_gate"] * kept.tanh())


def test_the_state_of_a_gru_lies_between_the_old_one_and_the_new_content_as_its_gate_says():
    recurrent = stack("gru")
    x, (hidden,) = inputs(3, 1), first_state(recurrent, 3)
    with recorded_cells(recurrent) as updates:
        recurrent.step(x[:, 0], (hidden,))
    values = updates[0].activations
    assert_same(values["hidden"], torch.lerp(values["content"], hidden[:, 0], values["update_gate"]))


@every_decoder
@pytest.mark.parametrize("cell", [LSTM, GRU, RNN], ids=name_of)
def test_a_model_that_is_watched_writes_the_same(decoder, cell):
    model, batch = model_of(decoder, rnn=cell, num_layers=2), batch_of([0])
    expected = model(batch)
    with recorded_cells(model) as updates, recorded_attention(model.decoder.attention):
        assert_same(model(batch), expected)
    assert {one.recurrent.split(".")[0] for one in updates} == {"encoder", "decoder"}
    writing = [one for one in updates if one.recurrent.startswith("decoder") and one.layer == 0]
    assert len(writing) % len(TARGETS[0]) == 0


@every_decoder
@pytest.mark.parametrize("window", WINDOWS, ids=name_of)
def test_heads_have_the_shown_weights_as_their_mean(decoder, window):
    model, batch = model_of(decoder, attention=partial(MultiHeadAttention, heads=3), window=window), batch_of([1])
    with recorded_attention(model.decoder.attention) as parts:
        _, attention = model(batch)
    assert model.decoder.attention.has_parts
    heads = torch.stack([parts[f"head {number}"] for number in (1, 2, 3)])
    assert_same(heads.mean(dim=0), attention[0])
    assert (heads[0] - heads[1]).abs().max() > 1e-6


@every_decoder
@pytest.mark.parametrize("attention", SCORES, ids=name_of)
def test_a_score_with_a_global_window_and_one_head_has_no_parts(decoder, attention):
    model = model_of(decoder, attention=attention)
    if isinstance(model.decoder.attention, MultiHeadAttention):
        return
    with recorded_attention(model.decoder.attention) as parts:
        model(batch_of([1]))
    assert parts == {}
    assert not model.decoder.attention.has_parts


def test_a_monotonic_window_is_1_around_the_position_and_0_elsewhere():
    model = tiny_model(window=partial(LocalMonotonicWindow, width=1))
    with recorded_attention(model.decoder.attention) as parts:
        model(batch_of([0]))  # 3 source and 6 target positions
    assert model.decoder.attention.has_parts
    assert parts["window"].tolist() == [[1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 1, 1], [0, 1, 1], [0, 1, 1]]


def test_a_predictive_window_is_0_just_where_no_weight_falls():
    model = tiny_model(window=partial(LocalPredictiveWindow, width=1))
    with recorded_attention(model.decoder.attention) as parts:
        _, attention = model(batch_of([1]))
    window = parts["window"]
    assert ((window == 0) == (attention[0] == 0)).all()
    assert (window == 0).any()
    assert 0 < window.max() <= 1
