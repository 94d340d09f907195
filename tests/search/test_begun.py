"""Targets whose first tokens are given: what follows is the search's own, and batches change nothing."""

import pytest
import torch
from toy_models import BOS, EOS, ToyModel, forced

from s2s.search import BeamSearch, Request, Sampling
from s2s.search.begun import Begun

LENGTHS = [3, 7, 4, 1, 5]
BEGINNINGS = [[2], [3, 4, 2], [], [5, 5], [3]]
every_search = pytest.mark.parametrize(
    "search", [BeamSearch(beam_size=1), BeamSearch(beam_size=3), Sampling(seed=4), Sampling(top_k=2)], ids=repr
)


def begun(search, sentences, n_best=1):
    model, lengths = ToyModel(vocabulary=7, seed=2, spread=1.0), [LENGTHS[sentence] for sentence in sentences]
    request = Request(torch.tensor(lengths), bos=BOS, eos=EOS, n_best=n_best, forbidden=(BOS,), rows=sentences)
    found = Begun(search, [BEGINNINGS[sentence] for sentence in sentences])
    return found(model, model.start(sentences, lengths), request), model


@every_search
def test_a_target_begins_as_it_is_told_and_counts_those_tokens_as_the_model_does(search):
    found, model = begun(search, [0, 1, 2, 3, 4])
    for sentence, (best,) in enumerate(found):
        beginning = BEGINNINGS[sentence]
        assert list(best.tokens[: len(beginning)]) == beginning
        log_probs, attention = forced(model, sentence, LENGTHS[sentence], best.tokens)
        assert best.token_log_probs == pytest.approx(log_probs, abs=1e-12)
        assert best.attention == pytest.approx(attention.numpy(), abs=1e-12)


@every_search
def test_what_one_begins_with_does_not_depend_on_the_others(search):
    together, _ = begun(search, [0, 1, 2, 3, 4])
    alone = [begun(search, [sentence])[0][0] for sentence in range(5)]
    assert [[one.tokens for one in ones] for ones in together] == [[one.tokens for one in ones] for ones in alone]


@every_search
def test_with_nothing_given_it_is_the_search_itself(search):
    model = ToyModel(vocabulary=7, seed=2, spread=1.0)
    request = Request(torch.tensor(LENGTHS), bos=BOS, eos=EOS, forbidden=(BOS,))
    plain, given = (
        one(model, model.start(list(range(5)), LENGTHS), request) for one in (search, Begun(search, [[]] * 5))
    )
    assert [one.tokens for (one,) in plain] == [one.tokens for (one,) in given]


def test_several_samples_of_one_beginning_differ_after_it():
    (samples, *_), _ = begun(Sampling(seed=1), [1], n_best=5)
    assert {one.tokens[:3] for one in samples} == {(3, 4, 2)}
    assert len({one.tokens for one in samples}) > 1


def test_a_beginning_that_fills_the_limit_leaves_nothing():
    model = ToyModel(vocabulary=7)
    request = Request(torch.tensor([2]), bos=BOS, eos=EOS, forbidden=(BOS,))
    limited = Begun(BeamSearch(max_ratio=0, max_extra=3), [[2, 3, 4]])
    assert limited(model, model.start([0], [2]), request) == [[]]
