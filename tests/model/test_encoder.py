"""The encoder: one direction or both, layers above, either end first, and any decoder's cell after it."""

from functools import partial

import pytest
import torch
from tiny_models import CELLS, SOURCES, assert_same, batch_of, padded, tiny_model

from s2s.model.attention import GeneralAttention
from s2s.model.bridge import CopyBridge, LinearBridge, MeanBridge, ZeroBridge
from s2s.model.kernel_cells import GRU, LSTM, RNN
from s2s.model.layer_scan import reversed_rows

every_cell = pytest.mark.parametrize("cell", CELLS)
both_directions = pytest.mark.parametrize("bidirectional", [False, True])


def test_rows_are_turned_round_and_padding_stays_where_it_is():
    rows = torch.tensor([[1, 2, 3, 0], [4, 0, 0, 0], [5, 6, 7, 8]])
    expected = torch.tensor([[3, 2, 1, 0], [4, 0, 0, 0], [8, 7, 6, 5]])
    lengths = torch.tensor([3, 1, 4])
    assert torch.equal(reversed_rows(rows, lengths), expected)
    assert torch.equal(reversed_rows(expected, lengths), rows)
    assert torch.equal(reversed_rows(torch.stack([rows, -rows], dim=2), lengths)[..., 1], -expected)


def test_padding_that_is_not_zero_stays_as_it_was():
    assert reversed_rows(torch.tensor([[1, 2, 9, 8]]), torch.tensor([2])).tolist() == [[2, 1, 9, 8]]


@every_cell
@both_directions
def test_states_are_the_scan_of_the_embedded_words(cell, bidirectional):
    encoder, source = tiny_model(rnn=cell, num_layers=2, bidirectional=bidirectional).encoder, padded(SOURCES)
    encoded = encoder(source)
    values, final = encoder.recurrent.scan(2.0 * encoder.embedding.weight[source.ids], lengths=source.lengths)
    assert_same((encoded.values, *encoded.final), (values, *final))
    assert torch.equal(encoded.mask, source.mask)
    assert encoder.output_size == encoded.values.shape[2] == 6
    assert (encoder.num_layers, encoder.state_parts) == (2, len(encoded.final))


@every_cell
@both_directions
@pytest.mark.parametrize("reverse", [False, True])
def test_upper_layers_read_forward_what_the_lower_ones_wrote(cell, bidirectional, reverse):
    options = {"rnn": cell, "num_layers": 2, "bidirectional": bidirectional, "reverse_source": reverse}
    encoder = tiny_model(**options, forward_layers=3).encoder
    encoded, source = encoder(padded(SOURCES)), padded(SOURCES)
    upper, encoder.upper = encoder.upper, None
    lower = encoder(source)
    rows = reversed_rows(lower.values, source.lengths) if reverse else lower.values
    values, final = upper.scan(rows, lengths=source.lengths)
    assert_same(encoded.values, reversed_rows(values, source.lengths) if reverse else values)
    assert encoder.num_layers == 5
    for part, below, above in zip(encoded.final, lower.final, final, strict=True):
        assert part.shape == (3, 5, 6)
        assert_same((part[:, :2], part[:, 2:]), (below, above))


def test_the_last_of_the_final_states_is_what_the_top_layer_wrote_last():
    encoded = tiny_model(forward_layers=2).encoder(padded(SOURCES))
    for row, source in enumerate(SOURCES):
        assert_same(encoded.final[0][row, -1], encoded.values[row, len(source) - 1])


@every_cell
@both_directions
@pytest.mark.parametrize("forward_layers", [0, 2])
def test_reading_from_the_end_is_reading_the_sentence_turned_round(cell, bidirectional, forward_layers):
    options = {"rnn": cell, "bidirectional": bidirectional, "forward_layers": forward_layers}
    encoder, turned = (tiny_model(**options, reverse_source=reverse).encoder for reverse in (False, True))
    encoded = turned(padded(SOURCES))
    expected = encoder(padded([source[::-1] for source in SOURCES]))
    for row, source in enumerate(SOURCES):
        assert_same(encoded.values[row, : len(source)].flip(0), expected.values[row, : len(source)])
        assert (encoded.values[row, len(source) :] == 0).all()
    assert_same(encoded.final, expected.final)
    assert torch.equal(encoded.mask, padded(SOURCES).mask)
    assert (encoded.values - encoder(padded(SOURCES)).values).abs().max() > 1e-3


@every_cell
@pytest.mark.parametrize("options", [{"forward_layers": 2}, {"reverse_source": True, "forward_layers": 1}])
def test_a_sentence_is_read_the_same_alone_and_with_more_padding(cell, options):
    encoder = tiny_model(rnn=cell, **options).encoder
    together = encoder(padded(SOURCES, 3))
    for row, source in enumerate(SOURCES):
        alone = encoder(padded([source]))
        assert_same(together.values[row, : len(source)], alone.values[0])
        assert (together.values[row, len(source) :] == 0).all()
        assert_same(tuple(part[row] for part in together.final), tuple(part[0] for part in alone.final))


@pytest.mark.parametrize("bridge", [ZeroBridge, CopyBridge, LinearBridge, MeanBridge])
@pytest.mark.parametrize(("encoder", "decoder"), [(GRU, LSTM), (LSTM, GRU), (RNN, LSTM), (GRU, RNN)])
@pytest.mark.parametrize(("encoder_layers", "decoder_layers"), [(1, 3), (3, 2)])
def test_the_encoders_cell_and_depth_need_not_be_the_decoders(encoder, decoder, bridge, encoder_layers, decoder_layers):
    model = tiny_model(
        rnn=decoder, encoder_rnn=encoder, bridge=bridge, encoder_layers=encoder_layers, decoder_layers=decoder_layers
    )
    assert isinstance(model.encoder.recurrent, encoder)
    assert isinstance(model.decoder.recurrent, decoder)
    assert model(batch_of([0, 1, 2]))[0].shape == (3, 6, 6)
    state, _ = model.start(padded(SOURCES))
    assert [part.shape for part in state.rnn] == [(3, decoder_layers, 6)] * decoder.state_parts


@pytest.mark.parametrize("bridge", [ZeroBridge, LinearBridge, MeanBridge])
def test_the_encoders_width_need_not_be_the_decoders(bridge):
    model = tiny_model(encoder_rnn=GRU, bridge=bridge, encoder_size=10, forward_layers=1, attention=GeneralAttention)
    assert model.encoder(padded(SOURCES)).values.shape == (3, 5, 10)
    assert model(batch_of([0, 1, 2]))[0].shape == (3, 6, 6)


def test_residual_connections_and_dropout_reach_the_layers_above():
    model = tiny_model(rnn=partial(LSTM, residual=True), forward_layers=3, dropout=0.3)
    assert model.encoder.upper.residual
    assert model.encoder.upper.dropouts.layer == 0.3
