"""Rows that cannot matter are left out, and what is found is what all rows together find."""

import numpy as np
import pytest
import torch
from toy_models import BOS, EOS, ToyModel

from s2s.search import BeamSearch, Hypothesis, Request, board
from s2s.search.grid import PenaltyGrid

COUNT = 48
LENGTHS = [1 + number % 7 for number in range(COUNT)]


def found(searcher, monkeypatch, *, by_rank: bool, n_best: int = 3, **model) -> tuple[list[list[Hypothesis]], int]:
    """What a search finds, and how many rows the model continued for it."""
    monkeypatch.setattr(board, "ENOUGH_SENTENCES", 1 if by_rank else COUNT + 1)
    toy = ToyModel(**{"vocabulary": 20, "seed": 5, "spread": 2.0, "eos_bias": 2.0, **model})
    request = Request(torch.tensor(LENGTHS), bos=BOS, eos=EOS, n_best=n_best, forbidden=(BOS,))
    return searcher(toy, toy.start(list(range(COUNT)), LENGTHS), request), sum(toy.calls)


def assert_same_hypotheses(one: list[list[Hypothesis]], other: list[list[Hypothesis]]) -> None:
    for own, others in zip(one, other, strict=True):
        assert [hypothesis.tokens for hypothesis in own] == [hypothesis.tokens for hypothesis in others]
        for a, b in zip(own, others, strict=True):
            assert a.token_log_probs == pytest.approx(b.token_log_probs, abs=1e-12)
            assert a.score == pytest.approx(b.score, abs=1e-12)
            assert a.finished == b.finished
            np.testing.assert_allclose(a.attention, b.attention, atol=1e-12)


@pytest.mark.parametrize(
    "searcher",
    [
        BeamSearch(),
        BeamSearch(beam_size=12, length_penalty=0.0),
        BeamSearch(beam_size=3, length_penalty=-0.5),
        BeamSearch(coverage_penalty=0.4),
        BeamSearch(min_ratio=1.5),
        BeamSearch(max_ratio=0.5, max_extra=1),
        PenaltyGrid(BeamSearch(), ((0.0, 0.0), (1.5, 0.2))),
    ],
    ids=str,
)
def test_leaving_rows_out_changes_nothing_but_the_work(searcher, monkeypatch):
    n_best = 1 if isinstance(searcher, PenaltyGrid) else 3
    all_rows, made = found(searcher, monkeypatch, by_rank=False, n_best=n_best)
    by_rank, needed = found(searcher, monkeypatch, by_rank=True, n_best=n_best)
    assert_same_hypotheses(by_rank, all_rows)
    assert needed < made


def test_a_vocabulary_with_fewer_words_than_the_beam_has_rows_needs_them_all(monkeypatch):
    all_rows, made = found(BeamSearch(beam_size=6), monkeypatch, by_rank=False, n_best=1, vocabulary=4)
    by_rank, needed = found(BeamSearch(beam_size=6), monkeypatch, by_rank=True, n_best=1, vocabulary=4)
    assert_same_hypotheses(by_rank, all_rows)
    assert needed <= made


def test_equal_scores_are_told_apart_as_by_all_rows(monkeypatch):
    all_rows, _ = found(BeamSearch(), monkeypatch, by_rank=False, spread=0.0, eos_bias=0.0)
    by_rank, _ = found(BeamSearch(), monkeypatch, by_rank=True, spread=0.0, eos_bias=0.0)
    assert_same_hypotheses(by_rank, all_rows)
