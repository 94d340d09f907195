"""Embeddings: the table, what is read from it, and what drops out."""

import pytest
import torch
from tiny_models import assert_same

from s2s.model.draws import WordDraws
from s2s.model.embedding import Embedding, EmbeddingDropout
from s2s.text.batching import collate

ONES = torch.ones(200, 50, 4, dtype=torch.float64)
IDS = torch.arange(50).expand(200, 50) % 30  # the first twenty types come twice


def dropped(**probabilities):
    torch.manual_seed(2)
    return EmbeddingDropout(**{"units": 0.0, "words": 0.0, **probabilities}).train()(ONES, IDS)


def test_ids_become_rows_of_the_table_times_the_root_of_the_width():
    embedding = Embedding(5, 4)
    ids = collate([[1, 2], [3]]).ids
    assert torch.equal(embedding(ids), 2.0 * embedding.weight[ids])


def test_rows_are_about_one_long_and_what_is_read_has_units_of_about_one():
    torch.manual_seed(0)
    embedding = Embedding(2000, 64).requires_grad_(False)
    assert 0.95 < float(embedding.weight.norm(dim=1).mean()) < 1.05
    assert 0.95 < float(embedding(torch.arange(2000)).std()) < 1.05


@pytest.mark.parametrize("words", [0.2, 0.5])
def test_a_word_is_dropped_whole_or_scaled_whole(words):
    rows = dropped(words=words)
    assert_same(rows, rows[..., :1].expand_as(rows))
    assert set(rows.unique().tolist()) == {0.0, 1 / (1 - words)}
    assert float((rows[..., 0] == 0).double().mean()) == pytest.approx(words, abs=0.02)


def test_words_are_dropped_one_by_one_in_every_sentence_and_position():
    dead = dropped(words=0.5)[..., 0] == 0
    assert dead.double().mean(dim=0).std() > 0
    assert 0 < dead.sum(dim=1).min() < dead.sum(dim=1).max() < 50
    assert 0 < dead.sum(dim=0).min() < dead.sum(dim=0).max() < 200


def test_units_are_dropped_one_by_one():
    rows = dropped(units=0.5)
    assert set(rows.unique().tolist()) == {0.0, 2.0}
    assert float((rows == 0).double().mean()) == pytest.approx(0.5, abs=0.02)
    assert float((rows == 0).all(dim=-1).double().mean()) == pytest.approx(0.5**4, abs=0.02)


def test_words_and_units_are_dropped_apart_from_each_other():
    rows = dropped(units=0.5, words=0.2)
    assert_same(rows.unique(), torch.tensor([0.0, 2.5], dtype=torch.float64))
    assert float((rows == 0).all(dim=-1).double().mean()) == pytest.approx(0.2 + 0.8 * 0.5**4, abs=0.02)
    assert float((rows == 0).double().mean()) == pytest.approx(1 - 0.8 * 0.5, abs=0.02)


def drawn(**probabilities):
    """What variational dropout leaves of the same ids, and what it drew."""
    torch.manual_seed(2)
    layer = EmbeddingDropout(**{"units": 0.0, "words": 0.0, **probabilities}, variational=True).train()
    draws = layer.draw(ONES, Embedding(30, 4))
    return layer, draws, layer(ONES, IDS, draws)


def test_units_are_dropped_once_for_a_whole_sentence():
    _, draws, rows = drawn(units=0.5)
    assert (draws.units.shape, draws.words) == ((200, 4), None)
    assert torch.equal(rows, rows[:, :1].expand_as(rows))
    assert set(rows.unique().tolist()) == {0.0, 2.0}
    assert float((rows[:, 0] == 0).double().mean()) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("words", [0.2, 0.5])
def test_words_are_dropped_by_type_wherever_a_sentence_has_them_or_nowhere(words):
    """So "the dog and the cat" may become "- dog and - cat", but never "- dog and the cat" (section 4.2)."""
    _, draws, rows = drawn(words=words)
    dead = (rows == 0).all(dim=-1)
    assert (draws.words.shape, draws.units) == ((200, 30), None)
    assert torch.equal(dead[:, :20], dead[:, 30:])
    assert set(rows.unique().tolist()) == {0.0, 1 / (1 - words)}
    assert float(dead.double().mean()) == pytest.approx(words, abs=0.02)
    assert dead[:, :30].double().std(dim=0).min() > 0.3  # each sentence has draws of its own


def test_position_by_position_the_same_units_and_words_are_dropped():
    layer, draws, rows = drawn(units=0.5, words=0.3)
    for position in range(50):
        assert torch.equal(layer(ONES[:, position], IDS[:, position], draws), rows[:, position])
    some = torch.tensor([3, 3, 199])
    assert torch.equal(layer(ONES[some], IDS[some], draws.select(some)), rows[some])


def test_nothing_is_drawn_for_a_sentence_by_ordinary_dropout_or_in_use():
    layer, _, _ = drawn(units=0.5, words=0.3)
    ordinary = EmbeddingDropout(units=0.5, words=0.3).train()
    assert layer.eval().draw(ONES, Embedding(30, 4)) == ordinary.draw(ONES, Embedding(30, 4)) == WordDraws()


@pytest.mark.parametrize("probabilities", [{"units": 0.5}, {"words": 0.5}, {"units": 0.3, "words": 0.3}])
def test_what_is_left_keeps_the_sum_and_nothing_drops_out_of_training(probabilities):
    assert float(dropped(**probabilities).mean()) == pytest.approx(1, abs=0.03)
    assert torch.equal(EmbeddingDropout(**{"units": 0.0, "words": 0.0, **probabilities}).eval()(ONES, IDS), ONES)
