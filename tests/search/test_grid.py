"""One search for many penalties finds what a search with each of them does."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from toy_models import BOS, EOS, ToyModel

from s2s.errors import InputError
from s2s.search import BeamSearch, Request
from s2s.search.grid import PenaltyGrid

SENTENCES = list(range(60))
LENGTHS = [1 + sentence % 9 for sentence in SENTENCES]
PENALTIES = tuple(product((0.6, 3.0, 1.4, 0.0, -0.5), (0.0, 0.3)))


def search(searcher, model, **options):
    request = Request(torch.tensor(LENGTHS), bos=BOS, eos=EOS, forbidden=(BOS,), **options)
    return searcher(model, model.start(SENTENCES, LENGTHS), request)


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_every_setting_gets_what_its_own_search_finds(beam_size):
    model = ToyModel(vocabulary=9, seed=3, spread=1.0, eos_bias=0.5)
    beam = BeamSearch(beam_size=beam_size, max_extra=5)
    together = search(PenaltyGrid(beam, PENALTIES), model)
    for number, (alpha, beta) in enumerate(PENALTIES):
        alone = search(replace(beam, length_penalty=alpha, coverage_penalty=beta), model)
        for found, (best,) in zip(together, alone, strict=True):
            assert found[number].tokens == best.tokens
            assert found[number].score == pytest.approx(best.score, abs=1e-12)
            assert found[number].log_prob == pytest.approx(best.log_prob, abs=1e-12)
            assert found[number].attention == pytest.approx(best.attention, abs=1e-12)
    if beam_size > 1:
        assert len({tuple(one.tokens for one in found) for found in together}) > 40
        assert sum(len({one.tokens for one in found}) > 1 for found in together) > 10


def test_it_makes_no_more_steps_than_the_longest_of_the_searches():
    model = ToyModel(vocabulary=9, seed=3, spread=1.0, eos_bias=0.5)
    beam = BeamSearch(beam_size=4, max_extra=5)
    rows = []
    for penalties in (PENALTIES, *((one,) for one in PENALTIES)):
        model.calls.clear()
        search(PenaltyGrid(beam, penalties), model)
        rows.append(sum(model.calls))
    assert max(rows[1:]) <= rows[0] < sum(rows[1:]) / 4


def test_no_hypothesis_is_refused():
    with pytest.raises(InputError, match="n_best must be 1 or more, got 0"):
        search(PenaltyGrid(BeamSearch(), PENALTIES), ToyModel(), n_best=0)
