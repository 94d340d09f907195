"""Bridges: what the decoder starts from, by hand."""

import numpy as np
import pytest
import torch
from tiny_models import CELLS, SOURCES, assert_same, model_of, padded, tiny_model

from s2s.errors import InputError
from s2s.model.attention import NoAttention
from s2s.model.bridge import CopyBridge, LinearBridge, MeanBridge, ZeroBridge
from s2s.model.encoder import Encoded
from s2s.model.kernel_cells import GRU, LSTM, RNN

BRIDGES = [ZeroBridge, CopyBridge, LinearBridge, MeanBridge]


def layers(cell, num_layers=1, width=4, bidirectional=False):
    return cell(3, hidden_size=width, num_layers=num_layers, bidirectional=bidirectional).double()


def decoder_of(cell, num_layers=1, width=4):
    return tiny_model(rnn=cell, num_layers=num_layers, hidden_size=width, bidirectional=False).decoder


def encoded(encoder, sentences=2):
    """Final states that are all different: part, sentence, layer and unit can be read off a number."""
    size = sentences * encoder.num_layers * encoder.output_size
    final = tuple(
        (torch.arange(size, dtype=torch.float64) / size + part).view(sentences, encoder.num_layers, -1)
        for part in range(encoder.state_parts)
    )
    values = torch.ones(sentences, 3, encoder.output_size, dtype=torch.float64)
    return Encoded(values, torch.ones(sentences, 3, dtype=torch.bool), final)


@pytest.mark.parametrize("cell", CELLS)
def test_the_zero_bridge_gives_zeros_of_the_decoders_shape(cell):
    encoder, decoder = layers(cell, width=2), decoder_of(cell, num_layers=2, width=5)
    state = ZeroBridge(encoder, decoder=decoder)(encoded(encoder))
    assert_same(state, tuple(torch.zeros(2, 2, 5, dtype=torch.float64) for _ in range(decoder.state_parts)))


@pytest.mark.parametrize("cell", CELLS)
def test_the_copy_bridge_gives_the_encoders_final_state(cell):
    encoder = layers(cell, num_layers=2, width=2, bidirectional=True)
    before = encoded(encoder)
    assert len(before.final) == encoder.state_parts
    assert_same(CopyBridge(encoder, decoder=layers(cell, num_layers=2, width=4))(before), before.final)


def test_the_linear_bridge_bounds_h_and_not_the_memory_cell():
    encoder, decoder = layers(LSTM, width=3), layers(LSTM, width=2)
    before = encoded(encoder)
    bridge = LinearBridge(encoder, decoder=decoder).double()
    hidden, memory = (part[:, 0].detach().numpy() for part in bridge(before))
    (w, b), (u, d) = ([parameter.detach().numpy() for parameter in part.parameters()] for part in bridge.maps)
    h, c = (part[:, 0].numpy() for part in before.final)
    np.testing.assert_allclose(hidden, np.tanh(h @ w.T + b), rtol=1e-12)
    np.testing.assert_allclose(memory, c @ u.T + d, rtol=1e-12)


@pytest.mark.parametrize(("deep", "chosen"), [(1, [0, 0]), (2, [0, 1]), (3, [1, 2])])
def test_top_layer_meets_top_layer_whatever_their_numbers(deep, chosen):
    encoder, decoder = layers(GRU, num_layers=deep), layers(GRU, num_layers=2)
    before = encoded(encoder)
    assert_same(CopyBridge(encoder, decoder=decoder)(before), (before.final[0][:, chosen],))
    bridge = LinearBridge(encoder, decoder=decoder).double()
    assert_same(bridge(before), (torch.tanh(bridge.maps[0](before.final[0][:, chosen])),))


@pytest.mark.parametrize("cell", [GRU, RNN])
def test_a_decoder_with_more_parts_than_the_encoder_takes_both_from_h(cell):
    encoder = layers(cell)
    before = encoded(encoder)
    assert_same(CopyBridge(encoder, decoder=layers(LSTM))(before), (before.final[0], before.final[0]))


@pytest.mark.parametrize(("cell", "layers_of_decoder"), [(LSTM, 1), (LSTM, 3), (GRU, 2)])
@pytest.mark.parametrize("encoder_cell", [LSTM, GRU])
def test_the_mean_bridge_maps_the_mean_over_real_words_for_every_layer(encoder_cell, cell, layers_of_decoder):
    model = tiny_model(
        rnn=cell, encoder_rnn=encoder_cell, bridge=MeanBridge, encoder_size=8, decoder_layers=layers_of_decoder
    )
    encoded = model.encoder(padded(SOURCES, 2))
    state = model.bridge(encoded)
    assert len(state) == len(model.bridge.maps) == cell.state_parts
    for number, (part, project) in enumerate(zip(state, model.bridge.maps, strict=True)):
        weight, bias = (parameter.detach().numpy() for parameter in project.parameters())
        for row, source in enumerate(SOURCES):
            mean = encoded.values[row, : len(source)].detach().numpy().mean(axis=0)
            mapped = (weight @ mean + bias).reshape(layers_of_decoder, 6)
            expected = mapped if number else np.tanh(mapped)
            np.testing.assert_allclose(part[row].detach(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bridge", BRIDGES)
@pytest.mark.parametrize(("encoder_cell", "decoder_cell"), [(LSTM, LSTM), (LSTM, GRU), (GRU, LSTM), (RNN, GRU)])
@pytest.mark.parametrize(("low", "deep"), [(1, 1), (1, 3), (2, 3), (3, 1)])
def test_a_first_state_can_be_scanned_from(bridge, encoder_cell, decoder_cell, low, deep):
    encoder, decoder = layers(encoder_cell, num_layers=low), decoder_of(decoder_cell, num_layers=deep)
    state = bridge(encoder, decoder=decoder).double()(encoded(encoder))
    assert [part.shape for part in state] == [(2, deep, 4)] * decoder.state_parts
    inputs = torch.zeros(2, 1, decoder.recurrent.input_size, dtype=torch.float64)
    outputs, _ = decoder.recurrent.scan(inputs, state=state)
    assert outputs.shape == (2, 1, 4)


@pytest.mark.parametrize("bridge", [CopyBridge, LinearBridge, MeanBridge])
def test_the_source_comes_through(bridge):
    model = model_of("sutskever", bridge=bridge, attention=NoAttention, num_layers=2)
    (one, _), (other, _) = (model.start(padded([source])) for source in ([4, 5, 3], [4, 6, 3]))
    assert len(one.rnn) == 2
    for part, changed in zip(one.rnn, other.rnn, strict=True):
        assert (part - changed).abs().amin() > 1e-9


def test_a_copy_between_unequal_widths_is_refused():
    with pytest.raises(InputError, match="one width, got 8 and 4; use model/bridge=linear or"):
        CopyBridge(layers(GRU, bidirectional=True), decoder=layers(GRU))


@pytest.mark.parametrize("decoder", ["sutskever", "luong", "bahdanau", "gnmt"])
def test_zeros_are_refused_where_nothing_else_tells_of_the_source(decoder):
    with pytest.raises(InputError, match="would know nothing of the source; use model/bridge=linear or another"):
        model_of(decoder, bridge=ZeroBridge, attention=NoAttention)


def test_zeros_will_do_where_a_summary_is_read():
    model = model_of("cho", bridge=ZeroBridge)
    (one, memory), (other, _) = (model.start(padded([source])) for source in ([4, 5, 3], [4, 6, 3]))
    first, second = (model.step(torch.tensor([4]), state, memory).output for state in (one, other))
    assert (first - second).abs().max() > 1e-6
