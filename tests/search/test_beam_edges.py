"""Beam search where numbers are odd or requests make no sense."""

from typing import Any

import pytest
import torch
from toy_models import BOS, EOS, ToyModel, ToyState, forced, tokens_of

from s2s.errors import InputError
from s2s.search import BeamSearch, Hypothesis, Request, Sampling, Step
from s2s.search.candidates import top_candidates
from s2s.search.penalties import MOST_EXTRA, MOST_RATIO


def table_step(table: torch.Tensor) -> Step[ToyState]:
    """A model without memory: the same log-probabilities (V,) whatever came before."""

    def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
        return table.expand(len(tokens), -1), torch.ones(len(tokens), 3), state

    return step


class TestOddNumbers:
    def run(self, table: torch.Tensor, n_best: int = 4, sentences: int = 2) -> list[list[Hypothesis]]:
        state = ToyModel().start(list(range(sentences)), [3] * sentences)
        searcher = BeamSearch(beam_size=4, max_ratio=1.0, max_extra=1)
        return searcher(
            table_step(table),
            state,
            Request(torch.tensor([3] * sentences), bos=BOS, eos=EOS, n_best=n_best, forbidden=(BOS,)),
        )

    def test_a_vocabulary_smaller_than_the_beam_gives_every_target_once(self) -> None:
        results = self.run(torch.tensor([0.2, 0.3, 0.5]).log())
        for hypotheses in results:
            targets = {(EOS,), (2, EOS), (2, 2, EOS), (2, 2, 2, EOS)}
            assert len(hypotheses) == 4
            assert {hypothesis.tokens for hypothesis in hypotheses} == targets
            for hypothesis in hypotheses:
                by_hand = [-0.6931472] * (len(hypothesis.tokens) - 1) + [-1.2039728]
                assert hypothesis.token_log_probs == pytest.approx(by_hand, abs=1e-6)

    def test_impossible_tokens_never_become_nan_and_never_win(self) -> None:
        results = self.run(torch.tensor([-torch.inf, -1.0, -torch.inf, -0.5, -torch.inf]))
        for hypotheses in results:
            assert {h.tokens for h in hypotheses} == {(3,) * count + (EOS,) for count in range(4)}
            assert all(-5 < h.score < 0 for h in hypotheses)

    def test_a_model_that_allows_nothing_gives_no_hypothesis(self) -> None:
        assert self.run(torch.full((5,), -torch.inf)) == [[], []]

    def test_equal_candidates_are_taken_from_the_left(self) -> None:
        table = torch.full((3000,), 1 / 3000).log()
        narrow = BeamSearch(beam_size=4, length_penalty=0.0, max_ratio=0.0, max_extra=2, min_ratio=0.0)
        for sentences in (1, 5):
            state = ToyModel().start(list(range(sentences)), [3] * sentences)
            lengths = torch.tensor([3] * sentences)
            results = narrow(table_step(table), state, Request(lengths, bos=BOS, eos=EOS, n_best=4, forbidden=(BOS,)))
            assert tokens_of(results) == [[(EOS,), (2, EOS), (3, EOS), (4, EOS)]] * sentences

    def test_the_best_candidates_are_those_of_a_stable_sort(self) -> None:
        generator = torch.Generator().manual_seed(0)
        scores = torch.randint(0, 9, (50, 30), generator=generator).float()
        scores[:, ::4] = -torch.inf
        for count in (1, 3, 10, 20):
            values, places = top_candidates(scores, count)
            expected = scores.sort(dim=1, descending=True, stable=True)
            assert values.equal(expected.values[:, :count])
            assert places.equal(expected.indices[:, :count])

    @pytest.mark.parametrize("searcher", [BeamSearch(), Sampling()])
    def test_what_the_step_returned_is_left_as_it_was(self, searcher: BeamSearch | Sampling) -> None:
        table = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
        before, lengths = table.clone(), torch.tensor([3])
        searcher(table_step(table), ToyModel().start([0], [3]), Request(lengths, bos=BOS, eos=EOS, forbidden=(BOS,)))
        assert table.equal(before)

    def test_attention_may_be_written_into_one_buffer(self) -> None:
        model, buffer = ToyModel(vocabulary=10, seed=9), torch.zeros(8, 5, dtype=torch.float64)

        def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
            log_probs, attention, state = model(tokens, state)
            return log_probs, buffer[: len(tokens)].copy_(attention), state

        ((hypothesis,),) = BeamSearch(min_ratio=1.0)(
            step, model.start([0], [5]), Request(torch.tensor([5]), bos=BOS, eos=EOS)
        )
        _, attention = forced(model, 0, 5, hypothesis.tokens)
        assert torch.from_numpy(hypothesis.attention).allclose(attention, atol=1e-10, rtol=0)

    def test_float32_log_probs_are_summed_without_loss(self) -> None:
        generator = torch.Generator().manual_seed(1)
        table = torch.randn(50, generator=generator).log_softmax(0)
        for hypotheses in self.run(table):
            for hypothesis in hypotheses:
                assert hypothesis.log_prob == pytest.approx(sum(hypothesis.token_log_probs), abs=1e-12)

    def test_half_precision_attention_comes_back_in_single(self) -> None:
        def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
            attention = torch.ones(len(tokens), 3, dtype=torch.bfloat16)
            return torch.full((len(tokens), 5), 0.2).log(), attention, state

        ((hypothesis,),) = BeamSearch()(step, ToyModel().start([0], [3]), Request(torch.tensor([3]), bos=BOS, eos=EOS))
        assert hypothesis.attention.dtype == "float32"

    def test_nan_from_the_model_is_refused(self) -> None:
        with pytest.raises(
            InputError, match=r"NaN as a log-probability of token 1, expected numbers; .* earlier checkpoint"
        ):
            self.run(torch.tensor([-1.0, -1.0, torch.nan, -1.0]))


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"beam_size": 0}, "beam_size must be 1 or more, got 0; 1 is greedy"),
            (
                {"overtake_ratio": 0.5},
                "overtake_ratio must be 1 or more, got 0.5; null waits for targets of any length",
            ),
            ({"overtake_ratio": float("inf")}, "overtake_ratio must be 1 or more, got inf"),
            ({"length_penalty": float("nan")}, "length_penalty must be a finite number, got nan; 0 turns it off"),
            ({"coverage_penalty": -0.1}, "coverage_penalty must be finite and not below 0, got -0.1; 0 is none"),
            ({"coverage_penalty": float("inf")}, "coverage_penalty must be finite and not below 0, got inf"),
            ({"min_ratio": -1.0}, "min_ratio=-1.0 and max_ratio=2.0; both are target tokens per source token"),
            ({"min_ratio": 3.0}, "expected 0 <= min_ratio <= max_ratio < inf, got min_ratio=3.0 and max_ratio=2.0"),
            ({"max_ratio": float("inf")}, "got min_ratio=0.0 and max_ratio=inf"),
            ({"max_extra": -1}, "max_extra must be 0 or more, got -1; lower max_ratio"),
            ({"max_ratio": MOST_RATIO + 1}, rf"max_ratio must be at most {MOST_RATIO} .*, got {MOST_RATIO + 1} and"),
            ({"max_extra": MOST_EXTRA + 1}, rf"max_extra {MOST_EXTRA:,}, got 2.0 and {MOST_EXTRA + 1}; no target is"),
        ],
    )
    def test_options_without_sense_are_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            BeamSearch(**options)

    @pytest.mark.parametrize(
        ("request_", "message"),
        [
            ({"n_best": 6}, "n_best must be at most beam_size, got 6 and 5; raise beam_size"),
            ({"n_best": 0}, "n_best must be 1 or more, got 0; ask for at least one"),
            ({"forbidden": (0, EOS)}, "the end-of-sentence id 1 is forbidden, so nothing could end; take it out"),
        ],
    )
    def test_requests_that_cannot_be_served_are_refused(self, request_: dict[str, Any], message: str) -> None:
        model = ToyModel()
        with pytest.raises(InputError, match=message):
            BeamSearch()(model, model.start([0], [3]), Request(torch.tensor([3]), bos=BOS, eos=EOS, **request_))
