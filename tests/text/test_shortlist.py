"""Shortlists by counts worked out by hand."""

import numpy as np
import pytest

from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.shortlist import Shortlist


def pairs(*sides):
    """Pairs of sentences, each a pair of lists of ids."""
    return ParallelIds(*(SentenceIds.of(list(side)) for side in zip(*sides, strict=True)))


# 4 stands beside 6 twice and beside 7 once; 5 beside 7 twice and beside 8 once.
THREE = pairs(([4, 5, 4], [6, 7, 6]), ([4], [6]), ([5], [7, 8]))


def test_partners_are_ordered_by_dice_coefficients() -> None:
    """Dice of 4: with 6 ``2·2 / (2+2)``, with 7 ``2·1 / (2+2)``; of 5: with 7 1, with 8 ``2·1 / (2+1)``, with 6 1/2."""
    shortlist = Shortlist.count(THREE, 6, frequent=1, partners=3)
    assert shortlist.partners[4].tolist() == [6, 7, -1]
    assert shortlist.partners[5].tolist() == [7, 8, 6]
    assert (shortlist.partners[:4] == -1).all()


def test_a_piece_counts_once_in_a_sentence() -> None:
    """6 and 7 are in two sentences each, though 6 stands three times; of equal ones the lower id comes first."""
    assert Shortlist.count(THREE, 6, frequent=2, partners=1).frequent.tolist() == [6, 7]


def test_the_words_of_a_sentence_are_the_frequent_and_the_best_partners_of_each_piece() -> None:
    shortlist = Shortlist(np.array([9]), np.array([[-1, -1], [3, 4], [4, 7]]))
    assert shortlist.words([1, 2], 1).tolist() == [3, 4, 9]
    assert shortlist.words([1, 2, 1], 2).tolist() == [3, 4, 7, 9]
    assert shortlist.words([0], 2).tolist() == [9]


@pytest.mark.parametrize("rows_at_once", [1, 2, 100])
def test_counts_in_parts_are_the_counts_of_the_whole(monkeypatch, rows_at_once) -> None:
    random = np.random.default_rng(1)
    many = pairs(*((random.integers(4, 30, 9).tolist(), random.integers(4, 30, 7).tolist()) for _ in range(40)))
    whole = Shortlist.count(many, 30, frequent=5, partners=6)
    monkeypatch.setattr("s2s.text.shortlist.ROWS_AT_ONCE", rows_at_once)
    parts = Shortlist.count(many, 30, frequent=5, partners=6)
    assert np.array_equal(whole.partners, parts.partners)
    assert np.array_equal(whole.frequent, parts.frequent)


def test_a_large_corpus_is_counted_at_even_steps(monkeypatch) -> None:
    monkeypatch.setattr("s2s.text.shortlist.MOST_PAIRS", 2)
    four = pairs(([4], [6]), ([4], [7]), ([4], [8]), ([4], [9]))
    assert Shortlist.count(four, 5, frequent=1, partners=4).partners[4].tolist() == [6, 8, -1, -1]


def test_a_shortlist_comes_back_as_it_was_saved(tmp_path) -> None:
    shortlist = Shortlist.count(THREE, 6, frequent=2, partners=3)
    shortlist.save(tmp_path / "shortlist.npz")
    loaded = Shortlist.load(tmp_path / "shortlist.npz", source_vocabulary=6, target_vocabulary=10)
    assert np.array_equal(loaded.partners, shortlist.partners)
    assert np.array_equal(loaded.frequent, shortlist.frequent)


def test_several_shortlists_are_joined_with_as_many_partners_of_each():
    """Of the best partner of each alone, 5 of the first and 6 of the second; 9 is frequent in both."""
    first = Shortlist(np.array([9, 4]), np.array([[-1, -1], [5, 7]]))
    second = Shortlist(np.array([9]), np.array([[8, -1], [6, 7]]))
    joined = Shortlist.joined([first, second], 1)
    assert joined.words([1], 2).tolist() == [4, 5, 6, 9]
    assert joined.words([0], 2).tolist() == [4, 8, 9]
    assert Shortlist.joined([first], 2).words([1], 2).tolist() == first.words([1], 2).tolist()
