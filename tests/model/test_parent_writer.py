"""Writing by parents is writing by rows: the same log-probabilities, attention and states, by fewer products."""

from functools import partial

import pytest
import torch
from tiny_models import CELLS, DECODERS, SOURCES, batch_of, model_of, name_of, padded

import s2s.model.parent_writer as module
from s2s.model.attention import GeneralAttention
from s2s.model.ensemble import OneModel, WordList
from s2s.model.kernel_cells import GRU, LSTM, RNN
from s2s.model.layer_norm_cells import LSTMLayerNorm
from s2s.model.parent_writer import ParentWriter, writer_of
from s2s.model.position_attention import CoverageAttention
from s2s.model.product import plain, products_by
from s2s.model.window import GlobalWindow, LocalMonotonicWindow

ROWS = 4
# Of three sentences, four rows each: siblings, an order turned round, and parents without children.
PARENTS = [[0, 0, 0, 0], [3, 2, 1, 0], [1, 1, 0, 1], [2, 0, 2, 2]]


def written(writer, listed=None):
    """What is said at every step of a beam whose rows are chosen anew each time, and one sentence leaves after two."""
    state, said, count = writer.start(padded(SOURCES), listed), [], len(SOURCES)
    tokens = torch.full((count,), 2)
    for step, parents in enumerate(PARENTS):
        log_probs, attention, state = writer.step(tokens, state)
        said += [log_probs, attention]
        rows = len(tokens) // count
        if step == 2:
            state, count = state.keep(torch.tensor([0, 2])), 2
        chosen = torch.tensor(parents) if rows > 1 else torch.zeros(ROWS, dtype=torch.int64)
        state = state.select((torch.arange(count)[:, None] * rows + chosen).flatten())
        tokens = torch.arange(count * ROWS) * (step + 3) % 9 + 3
    said += writer.step(tokens, state.select(torch.arange(count * ROWS).flip(0).view(count, ROWS).flip(0).flatten()))[
        :2
    ]
    return said


def assert_equal_to_rows(model, **options):
    writer = writer_of(model)
    assert isinstance(writer, ParentWriter)
    with torch.no_grad():
        for own, other in zip(written(writer, **options), written(OneModel(model), **options), strict=True):
            torch.testing.assert_close(own, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("feeding", ["luong", "luong without feeding"])
@pytest.mark.parametrize("cell", [*CELLS, partial(RNN, nonlinearity="relu"), partial(LSTM, residual=True)], ids=name_of)
def test_every_cell_writes_what_it_writes_by_rows(cell, feeding, layers):
    assert_equal_to_rows(model_of(feeding, rnn=cell, num_layers=layers))


@pytest.mark.parametrize("feeding", ["luong", "luong without feeding"])
@pytest.mark.parametrize("cell", CELLS, ids=name_of)
def test_given_targets_are_scored_as_by_rows(cell, feeding):
    model, batch = model_of(feeding, rnn=cell, num_layers=2), batch_of([0, 1, 2])
    with torch.no_grad():
        for own, other in zip(writer_of(model).force(batch), OneModel(model).force(batch), strict=True):
            torch.testing.assert_close(own, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("attention", [GeneralAttention, CoverageAttention], ids=name_of)
@pytest.mark.parametrize("window", [GlobalWindow, partial(LocalMonotonicWindow, width=1)], ids=name_of)
def test_what_was_attended_to_goes_with_its_row(attention, window):
    assert_equal_to_rows(model_of("luong", attention=attention, window=window))


def test_a_list_of_words_may_be_all_there_is():
    allowed = torch.ones(3, 8, dtype=torch.bool)
    allowed[1, 4:] = False
    assert_equal_to_rows(model_of("luong"), listed=WordList(torch.arange(2, 10), allowed))


@pytest.mark.parametrize("cell", CELLS, ids=name_of)
def test_products_with_the_state_are_taken_once_for_every_parent(cell):
    writer, seen = writer_of(model_of("luong", rnn=cell)), []

    def noted(inputs, weight, bias):
        seen.append((weight.data_ptr(), len(inputs)))
        return plain(inputs, weight, bias)

    with torch.no_grad():
        _, _, state = writer.step(torch.tensor([2, 2, 2]), writer.start(padded(SOURCES)))
        state = state.select(torch.arange(3).repeat_interleave(ROWS))
        _, _, state = writer.step(torch.arange(12) % 9 + 3, state)
        with products_by(noted):
            writer.step(torch.arange(12) % 9 + 3, state.select(torch.tensor([0, 0, 0, 0, 4, 5, 4, 4, 11, 10, 9, 8])))
    assert {rows for weight, rows in seen if weight == state.bottom.of_hidden.data_ptr()} == {7}


def test_weights_that_change_between_two_searches_are_read_anew():
    model = model_of("luong")
    writer = writer_of(model)
    with torch.no_grad():
        before = written(writer)
        model.decoder.recurrent.weight_ih_l0.mul_(1.5)
        model.embedding.weight.add_(0.1)
        after = written(writer)
        for own, other in zip(after, written(OneModel(model)), strict=True):
            torch.testing.assert_close(own, other, atol=1e-12, rtol=0)
    assert (after[0] - before[0]).abs().max() > 1e-3


def test_weights_that_stay_are_laid_out_once(monkeypatch):
    made, lay_out = [], module._Bottom.of
    monkeypatch.setattr(module._Bottom, "of", lambda model: (made.append(1), lay_out(model))[1])
    writer = writer_of(model_of("luong"))
    for _ in range(3):
        writer.start(padded(SOURCES))
    assert len(made) == 1


@pytest.mark.parametrize("decoder", sorted(set(DECODERS) - {"luong", "luong without feeding"}))
def test_other_decoders_write_by_rows(decoder):
    assert isinstance(writer_of(model_of(decoder, num_layers=2 if decoder == "gnmt" else 1)), OneModel)


def test_cells_without_gates_by_hand_write_by_rows():
    assert isinstance(writer_of(model_of("luong", rnn=LSTMLayerNorm)), OneModel)


@pytest.mark.parametrize(("numbers", "kind"), [(13 * 18, ParentWriter), (13 * 18 - 1, OneModel)])
def test_a_table_that_would_be_too_large_is_not_made(numbers, kind, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_TABLE", numbers)
    assert type(writer_of(model_of("luong", rnn=GRU))) is kind
