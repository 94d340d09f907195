"""Whoever watches a beam search sees every step of it, and changes nothing."""

import numpy as np
import pytest
import torch
from toy_models import BOS, EOS, ToyModel

from s2s.search import BeamSearch, Request

LENGTHS = [3, 7, 4]


def watched(search, n_best=2):
    model, steps = ToyModel(vocabulary=6, seed=2), []
    request = Request(torch.tensor(LENGTHS), bos=BOS, eos=EOS, n_best=n_best, forbidden=(BOS,))
    found = search(model, model.start([0, 1, 2], LENGTHS), request, watch=steps.append)
    unseen = search(model, model.start([0, 1, 2], LENGTHS), request)
    return found, unseen, steps


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_what_is_found_is_the_same_watched_or_not(penalty):
    found, unseen, _ = watched(BeamSearch(beam_size=3, coverage_penalty=penalty))
    assert [[one.tokens for one in sentence] for sentence in found] == [
        [one.tokens for one in sentence] for sentence in unseen
    ]


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_every_hypothesis_can_be_followed_through_the_steps_back_to_its_first_token(penalty):
    found, _, steps = watched(BeamSearch(beam_size=3, coverage_penalty=penalty))
    for sentence, hypotheses in enumerate(found):
        for hypothesis in hypotheses:
            last = steps[len(hypothesis.tokens) - 1]
            (ending,) = [e for e in last.endings if e.sentence == sentence and e.score == hypothesis.score]
            tokens, row = [EOS], ending.row
            for step in steps[len(hypothesis.tokens) - 2 :: -1] if len(hypothesis.tokens) > 1 else []:
                place = list(step.sentences).index(sentence)
                going_on = np.flatnonzero(step.candidates.tokens[place] != EOS)
                tokens.append(int(step.candidates.tokens[place, going_on[row]]))
                row = int(step.candidates.parents[place, going_on[row]])
            assert tuple(tokens[::-1]) == hypothesis.tokens


def test_candidates_come_best_first_and_twice_as_many_as_the_beam_is_wide():
    _, _, steps = watched(BeamSearch(beam_size=2), n_best=1)
    for step in steps[1:]:
        assert step.candidates.tokens.shape == (len(step.sentences), 4)
        sums = step.candidates.log_probs
        assert (sums[:, :-1] >= sums[:, 1:] - 1e-12).all()


def test_endings_outside_the_best_are_shown_too_but_do_not_count():
    found, _, steps = watched(BeamSearch(beam_size=1, max_ratio=0.0, max_extra=6), n_best=1)
    late = [
        ending
        for step in steps
        for ending in step.endings
        if step.candidates.tokens[list(step.sentences).index(ending.sentence), 0] != EOS
    ]
    assert late
    scores = {(sentence, one.score) for sentence, (one,) in enumerate(found)}
    assert not scores & {(ending.sentence, ending.score) for ending in late}
