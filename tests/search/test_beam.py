"""Beam search against brute force, forced decoding and itself in other batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_models import BOS, EOS, ToyModel, ToyState, UnorderedState, every_target, forced, score_by_hand, tokens_of

from s2s.search import BeamSearch, Hypothesis, Request, board
from s2s.search.hypothesis import Ending, Ranking

FORBIDDEN = (BOS,)
LENGTHS = [3, 7, 4, 1, 9, 5, 2, 6]


def search(
    searcher: BeamSearch,
    model: ToyModel,
    sentences: list[int],
    lengths: list[int],
    n_best: int = 1,
    kind: type[ToyState] = ToyState,
) -> list[list[Hypothesis]]:
    state = model.start(sentences, lengths, kind=kind)
    return searcher(model, state, Request(torch.tensor(lengths), bos=BOS, eos=EOS, n_best=n_best, forbidden=FORBIDDEN))


def greedy_by_hand(model: ToyModel, sentence: int, length: int, longest: int) -> tuple[int, ...]:
    """Take the likeliest token again and again, in a loop of its own."""
    state, tokens = model.start([sentence], [length]), [BOS]
    while len(tokens) <= longest and tokens[-1] != EOS:
        log_probs, _, state = model(torch.tensor(tokens[-1:]), state)
        log_probs[0, list(FORBIDDEN)] = -torch.inf
        tokens.append(EOS if len(tokens) == longest else int(log_probs[0].argmax()))
    return tuple(tokens[1:])


class TestAgainstBruteForce:
    @pytest.mark.parametrize(
        ("alpha", "beta"), [(0.0, 0.0), (0.6, 0.0), (1.5, 0.0), (-0.5, 0.0), (0.6, 0.4), (0.0, 0.2)]
    )
    def test_a_beam_of_full_width_finds_the_best_targets_there_are(self, alpha: float, beta: float) -> None:
        model = ToyModel(vocabulary=4, seed=1)
        full = BeamSearch(beam_size=40, length_penalty=alpha, coverage_penalty=beta, max_ratio=0.0, max_extra=5)
        lengths = [3, 5, 4, 1]
        results = search(full, model, list(range(4)), lengths, n_best=10)
        for sentence, (length, hypotheses) in enumerate(zip(lengths, results, strict=True)):
            scored = []
            for target in every_target(vocabulary=4, longest=5):
                log_probs, attention = forced(model, sentence, length, target)
                scored.append((score_by_hand(log_probs, attention, alpha, beta), target))
            best = sorted(scored, reverse=True)[:10]
            assert [hypothesis.tokens for hypothesis in hypotheses] == [target for _, target in best]
            assert [hypothesis.score for hypothesis in hypotheses] == pytest.approx([s for s, _ in best], abs=1e-10)

    def test_targets_are_all_found_when_there_are_fewer_than_asked_for(self) -> None:
        model = ToyModel(vocabulary=4)
        few = BeamSearch(beam_size=20, max_ratio=0.0, max_extra=3)
        (hypotheses,) = search(few, model, [0], [4], n_best=20)
        assert sorted(h.tokens for h in hypotheses) == sorted(every_target(vocabulary=4, longest=3))


def beam_by_hand(model: ToyModel, sentence: int, length: int, width: int, longest: int) -> list[tuple[int, ...]]:
    """The rules of the search with lists, one hypothesis at a time and to the bitter end; alpha 1, best first."""
    start: tuple[float, tuple[int, ...], ToyState] = (0.0, (BOS,), model.start([sentence], [length]))
    live, ended = [start], []
    for size in range(1, longest + 1):
        candidates = []
        for log_prob, tokens, state in live:
            scores, _, after = model(torch.tensor(tokens[-1:]), state)
            allowed = [EOS] if size == longest else [t for t in range(model.vocabulary) if t not in FORBIDDEN]
            candidates += [(log_prob + float(scores[0, token]), (*tokens, token), after) for token in allowed]
        candidates.sort(key=lambda candidate: -candidate[0])
        penalty = (5 + size) / 6
        ended += [(log_prob / penalty, tokens[1:]) for log_prob, tokens, _ in candidates[:width] if tokens[-1] == EOS]
        live = [candidate for candidate in candidates if candidate[1][-1] != EOS][:width]
    return [tokens for _, tokens in sorted(ended, reverse=True)]


@pytest.mark.parametrize("width", [2, 3, 7])
def test_a_narrow_beam_prunes_as_a_search_with_lists_does(width: int) -> None:
    model = ToyModel(vocabulary=9, seed=8, spread=1.0, eos_bias=2.0)
    lengths = [1 + number % 6 for number in range(20)]
    results = search(BeamSearch(beam_size=width, max_extra=2), model, list(range(20)), lengths, n_best=2)
    by_hand = [beam_by_hand(model, s, length, width, 2 * length + 2)[:2] for s, length in enumerate(lengths)]
    assert tokens_of(results) == by_hand


@pytest.mark.parametrize("alpha", [0.0, 0.6, 3.0])
def test_a_beam_of_one_is_greedy(alpha: float) -> None:
    model = ToyModel(vocabulary=12, seed=2, spread=1.0, eos_bias=1.0)
    lengths = [1 + number % 9 for number in range(60)]
    results = search(BeamSearch(beam_size=1, length_penalty=alpha), model, list(range(60)), lengths)
    by_hand = [[greedy_by_hand(model, s, length, 2 * length + 10)] for s, length in enumerate(lengths)]
    assert tokens_of(results) == by_hand
    assert len({len(target) for (target,) in by_hand}) > 5
    assert {hypotheses[0].finished for hypotheses in results} == {True, False}


class TestTwoHundredSentences:
    model = ToyModel(vocabulary=20, seed=3, spread=1.0, eos_bias=2.0)
    lengths = tuple(2 + number % 7 for number in range(200))

    def run(self, kind: type[ToyState] = ToyState) -> list[list[Hypothesis]]:
        return search(BeamSearch(), self.model, list(range(200)), list(self.lengths), n_best=3, kind=kind)

    def test_log_probs_and_attention_are_those_of_forced_decoding(self) -> None:
        for sentence, hypotheses in enumerate(self.run()):
            assert len(hypotheses) == 3
            for hypothesis in hypotheses:
                length = self.lengths[sentence]
                log_probs, attention = forced(self.model, sentence, length, hypothesis.tokens)
                assert hypothesis.token_log_probs == pytest.approx(log_probs, abs=1e-10)
                assert hypothesis.log_prob == pytest.approx(sum(log_probs), abs=1e-10)
                assert hypothesis.score == pytest.approx(score_by_hand(log_probs, attention, 1.0, 0.0), abs=1e-10)
                assert hypothesis.attention.shape == (len(hypothesis.tokens), length)
                assert torch.from_numpy(hypothesis.attention).allclose(attention, atol=1e-10, rtol=0)

    def test_a_state_that_does_not_follow_its_beam_gives_other_outputs(self) -> None:
        right, wrong = tokens_of(self.run()), tokens_of(self.run(kind=UnorderedState))
        assert sum(a != b for a, b in zip(right, wrong, strict=True)) > 150

    def test_hypotheses_are_distinct_and_in_order_of_score(self) -> None:
        for hypotheses in self.run():
            assert len({hypothesis.tokens for hypothesis in hypotheses}) == len(hypotheses)
            scores = [hypothesis.score for hypothesis in hypotheses]
            assert scores == sorted(scores, reverse=True)


class TestBatches:
    model = ToyModel(vocabulary=15, seed=4, spread=1.0, eos_bias=2.0)

    @pytest.mark.parametrize("searcher", [BeamSearch(), BeamSearch(beam_size=1), BeamSearch(coverage_penalty=0.3)])
    def test_a_batch_of_one_gives_what_a_batch_of_many_gives(self, searcher: BeamSearch) -> None:
        n_best = min(3, searcher.beam_size)
        sentences = list(range(len(LENGTHS)))
        together = search(searcher, self.model, sentences, LENGTHS, n_best)
        alone = [search(searcher, self.model, [s], [LENGTHS[s]], n_best)[0] for s in sentences]
        assert tokens_of(together) == tokens_of(alone)
        for many, one in zip(together, alone, strict=True):
            for a, b in zip(many, one, strict=True):
                assert a.score == pytest.approx(b.score, abs=1e-10)
                assert a.finished == b.finished
                assert torch.from_numpy(a.attention).allclose(torch.from_numpy(b.attention), atol=1e-10, rtol=0)

    def test_the_order_of_a_batch_does_not_matter(self) -> None:
        forward = search(BeamSearch(), self.model, list(range(8)), LENGTHS)
        backward = search(BeamSearch(), self.model, list(range(8))[::-1], LENGTHS[::-1])
        assert tokens_of(forward) == tokens_of(backward)[::-1]

    def test_an_empty_batch_gives_an_empty_list(self) -> None:
        state = self.model.start([0], [3])
        assert BeamSearch()(self.model, state, Request(torch.zeros(0, dtype=torch.long), bos=BOS, eos=EOS)) == []

    def test_finished_sentences_leave_the_batch_at_once(self) -> None:
        self.model.calls.clear()
        search(BeamSearch(beam_size=4), self.model, list(range(8)), LENGTHS)
        together = self.model.calls.copy()
        alone = []
        for sentence, length in enumerate(LENGTHS):
            self.model.calls.clear()
            search(BeamSearch(beam_size=4), self.model, [sentence], [length])
            alone.append(self.model.calls.copy())
        steps = max(len(calls) for calls in alone)
        assert together == [sum(calls[number] for calls in alone if number < len(calls)) for number in range(steps)]
        assert together[0] == 8
        assert len(set(together)) > 3

    def test_memory_is_never_copied_per_beam(self) -> None:
        shapes = []

        def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
            shapes.append((len(tokens), len(state.memory)))
            return self.model(tokens, state)

        BeamSearch(beam_size=4)(step, self.model.start([0, 1], [3, 3]), Request(torch.tensor([3, 3]), bos=BOS, eos=EOS))
        assert shapes[:2] == [(2, 2), (8, 2)]
        assert all(rows == 4 * sentences for rows, sentences in shapes[1:])


class TestStopping:
    @pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0, -0.5])
    @pytest.mark.parametrize(("beta", "n_best"), [(0.0, 1), (0.0, 4), (0.5, 2)])
    def test_stopping_early_never_changes_the_result(
        self, alpha: float, beta: float, n_best: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = ToyModel(vocabulary=10, seed=5, spread=1.5, eos_bias=2.0)
        searcher = BeamSearch(beam_size=4, length_penalty=alpha, coverage_penalty=beta, overtake_ratio=None)
        lengths = [1 + number % 8 for number in range(40)]
        stopping = search(searcher, model, list(range(40)), lengths, n_best)
        steps_stopping = sum(model.calls)
        model.calls.clear()
        monkeypatch.setattr(board, "score_bound", lambda log_prob, *_: np.full_like(log_prob, np.inf))
        exhaustive = search(searcher, model, list(range(40)), lengths, n_best)
        assert tokens_of(stopping) == tokens_of(exhaustive)
        assert [[h.score for h in hs] for hs in stopping] == [
            pytest.approx([h.score for h in hs], abs=1e-10) for hs in exhaustive
        ]
        if alpha < 1:  # a longer target may still win where the penalty is steeper
            assert steps_stopping < sum(model.calls)

    def test_nothing_is_missed_but_what_is_too_long_to_be_awaited(self) -> None:
        model, lengths = ToyModel(vocabulary=10, seed=5, spread=1.5, eos_bias=2.0), [1 + n % 8 for n in range(200)]
        patient = BeamSearch(beam_size=4, length_penalty=2.0, overtake_ratio=None)
        every = search(patient, model, list(range(200)), lengths)
        steps, missed = sum(model.calls), 0
        model.calls.clear()
        found = search(replace(patient, overtake_ratio=1.5), model, list(range(200)), lengths)
        assert sum(model.calls) < 0.85 * steps
        for (wanted,), (got,) in zip(every, found, strict=True):
            if wanted.tokens != got.tokens:
                missed += 1
                assert wanted.score > got.score
                assert len(wanted.tokens) > int(1.5 * len(got.tokens)) + 3
        assert missed

    def test_the_longest_that_is_kept_says_how_long_is_awaited(self) -> None:
        ranking, longest = Ranking(1, n_best=2), []
        for length, score in ((9, -2.0), (3, -1.0), (4, -0.5), (8, -3.0)):
            ranking.add(Ending(0, 0, length, score, score, score, True))
            longest.append(int(ranking.longest[0]))
        assert longest == [9, 9, 4, 4]

    def test_a_target_that_is_longer_than_awaited_is_written_where_it_is_ahead(self) -> None:
        """Two targets, of 1 and of 9 tokens; the long one costs more after 4, as far as is awaited."""

        def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
            likely = {BOS: {EOS: 0.45, 2: 0.31}, **{token: {token + 1: 1.0} for token in range(2, 9)}, 9: {EOS: 1.0}}
            likely[6] = {7: 0.92}
            table = torch.zeros(len(tokens), 10)
            for row, token in enumerate(tokens.tolist()):
                for following, probability in likely.get(token, {EOS: 1.0}).items():
                    table[row, following] = probability
            return table.log(), torch.ones(len(tokens), 3), state

        state = ToyModel().start([0], [9])
        (best,), *_ = BeamSearch(beam_size=2)(step, state, Request(torch.tensor([9]), bos=BOS, eos=EOS))
        assert best.tokens == (2, 3, 4, 5, 6, 7, 8, 9, EOS)


class TestLimits:
    def test_every_target_keeps_to_the_bounds_of_its_own_source(self) -> None:
        short_winded = ToyModel(vocabulary=10, seed=6, eos_bias=50.0)
        at_least = BeamSearch(min_ratio=1.5, max_ratio=2.0)
        results = search(at_least, short_winded, list(range(8)), LENGTHS)
        assert [len(hypotheses[0].tokens) for hypotheses in results] == [max(1, int(1.5 * n)) for n in LENGTHS]
        assert all(hypotheses[0].finished for hypotheses in results)

        endless = ToyModel(vocabulary=10, seed=6, eos_bias=-50.0)
        at_most = BeamSearch(max_ratio=1.5, max_extra=2)
        results = search(at_most, endless, list(range(8)), LENGTHS, n_best=2)
        for length, hypotheses in zip(LENGTHS, results, strict=True):
            assert [len(hypothesis.tokens) for hypothesis in hypotheses] == [int(1.5 * length) + 2] * 2
            assert not any(hypothesis.finished for hypothesis in hypotheses)
            assert all(h.tokens.index(EOS) == len(h.tokens) - 1 for h in hypotheses)

    def test_a_forced_end_keeps_its_true_log_probability(self) -> None:
        endless = ToyModel(vocabulary=10, seed=6, eos_bias=-50.0)
        ((hypothesis,),) = search(BeamSearch(max_ratio=1.0, max_extra=0), endless, [0], [4])
        log_probs, _ = forced(endless, 0, 4, hypothesis.tokens)
        assert hypothesis.token_log_probs[-1] == pytest.approx(log_probs[-1], abs=1e-10)
        assert hypothesis.token_log_probs[-1] < -30

    def test_a_limit_of_no_token_still_leaves_the_end(self) -> None:
        ((hypothesis,),) = search(BeamSearch(max_ratio=0.1, max_extra=0), ToyModel(), [0], [4])
        assert hypothesis.tokens == (EOS,)

    def test_forbidden_tokens_are_never_written(self) -> None:
        model = ToyModel(vocabulary=6, seed=7)
        state, lengths = model.start(list(range(8)), LENGTHS), torch.tensor(LENGTHS)
        free = BeamSearch()(model, state, Request(lengths, bos=BOS, eos=EOS, n_best=5))
        bound = BeamSearch()(model, state, Request(lengths, bos=BOS, eos=EOS, n_best=5, forbidden=(BOS, 3)))
        assert {token for hypotheses in free for h in hypotheses for token in h.tokens} >= {BOS, 3}
        assert {token for hypotheses in bound for h in hypotheses for token in h.tokens}.isdisjoint({BOS, 3})
