"""Sampling: what may be drawn, from what, and what a seed fixes."""

from typing import Any

import pytest
import torch
from toy_models import BOS, EOS, ToyModel, ToyState, forced, tokens_of

from s2s.errors import InputError
from s2s.search import BeamSearch, Hypothesis, Request, Sampling
from s2s.search.sampling import pick

LENGTHS = [3, 7, 4, 1, 9, 5, 2, 6]


def sample(
    sampling: Sampling | BeamSearch,
    model: ToyModel,
    sentences: list[int],
    lengths: list[int],
    n_best: int = 1,
    rows: list[int] | None = None,
) -> list[list[Hypothesis]]:
    state = model.start(sentences, lengths)
    return sampling(
        model, state, Request(torch.tensor(lengths), bos=BOS, eos=EOS, n_best=n_best, forbidden=(BOS,), rows=rows)
    )


class TestSeed:
    model = ToyModel(vocabulary=12, seed=1, spread=1.0, eos_bias=1.0)

    def run(self, seed: int = 0, n_best: int = 3) -> list[list[tuple[int, ...]]]:
        return tokens_of(sample(Sampling(seed=seed), self.model, list(range(8)), LENGTHS, n_best))

    def test_one_seed_gives_one_result(self) -> None:
        assert self.run(seed=5) == self.run(seed=5)

    def test_another_seed_gives_another_result(self) -> None:
        assert all(a != b for a, b in zip(self.run(seed=5), self.run(seed=6), strict=True))

    def test_the_global_generator_is_left_alone(self) -> None:
        before = torch.random.get_rng_state()
        self.run()
        assert torch.random.get_rng_state().equal(before)

    def test_a_sentences_samples_do_not_depend_on_its_batch(self) -> None:
        together = sample(Sampling(), self.model, list(range(8)), LENGTHS, 3)
        alone = [sample(Sampling(), self.model, [s], [LENGTHS[s]], 3, rows=[s])[0] for s in range(8)]
        assert tokens_of(together) == tokens_of(alone)
        order = [5, 0, 7, 2]
        some = sample(Sampling(), self.model, order, [LENGTHS[s] for s in order], 3, rows=order)
        assert tokens_of(some) == [tokens_of(together)[s] for s in order]

    def test_the_same_sentence_elsewhere_in_the_input_is_drawn_anew(self) -> None:
        results = sample(Sampling(), self.model, [4, 4, 4, 4], [9, 9, 9, 9])
        assert len({hypotheses[0].tokens for hypotheses in results}) == 4

    def test_samples_of_one_sentence_differ(self) -> None:
        (hypotheses,) = sample(Sampling(), self.model, [4], [9], 10)
        assert len(hypotheses) == 10
        assert len({hypothesis.tokens for hypothesis in hypotheses}) > 5


@pytest.mark.parametrize(
    "sampling", [Sampling(top_k=1), Sampling(temperature=1e-9), Sampling(temperature=1e-300), Sampling(top_p=1e-6)]
)
def test_drawing_from_the_likeliest_token_alone_is_greedy(sampling: Sampling) -> None:
    model = ToyModel(vocabulary=12, seed=2, spread=1.0, eos_bias=1.0)
    lengths = [1 + number % 9 for number in range(40)]
    greedy = sample(BeamSearch(beam_size=1), model, list(range(40)), lengths)
    drawn = sample(sampling, model, list(range(40)), lengths)
    assert tokens_of(drawn) == tokens_of(greedy)
    assert [h.log_prob for (h,) in drawn] == pytest.approx([h.log_prob for (h,) in greedy], abs=1e-10)
    assert [h.finished for (h,) in drawn] == [h.finished for (h,) in greedy]


def draws(sampling: Sampling, probabilities: list[float], count: int = 4000) -> torch.Tensor:
    """How often each token is drawn first, from a model that always answers with ``probabilities``; EOS has none."""

    def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
        return torch.tensor(probabilities).log().expand(len(tokens), -1), torch.ones(len(tokens), 3), state

    def ending(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
        log_probs, attention, state = step(tokens, state)
        first = (tokens == BOS)[:, None]
        end = torch.full_like(log_probs, -torch.inf)
        end[:, EOS] = 0.0
        return torch.where(first, log_probs, end), attention, state

    (hypotheses,) = sampling(
        ending, ToyModel().start([0], [3]), Request(torch.tensor([3]), bos=BOS, eos=EOS, n_best=count, forbidden=(BOS,))
    )
    assert all(len(hypothesis.tokens) == 2 for hypothesis in hypotheses)
    return torch.tensor([h.tokens[0] for h in hypotheses]).bincount(minlength=len(probabilities)) / count


class TestDistribution:
    probabilities = (0.0, 0.0, 0.1, 0.4, 0.05, 0.3, 0.15)

    # 4000 draws: a frequency is off by more than 0.04 with probability below 1e-6.
    @pytest.mark.parametrize(
        ("sampling", "expected"),
        [
            (Sampling(), [0, 0, 0.1, 0.4, 0.05, 0.3, 0.15]),
            (
                Sampling(temperature=0.5),
                [0, 0, 0.01 / 0.285, 0.16 / 0.285, 0.0025 / 0.285, 0.09 / 0.285, 0.0225 / 0.285],
            ),
            (Sampling(top_k=2), [0, 0, 0, 4 / 7, 0, 3 / 7, 0]),
            (Sampling(top_k=100), [0, 0, 0.1, 0.4, 0.05, 0.3, 0.15]),
            (Sampling(top_p=0.65), [0, 0, 0, 4 / 7, 0, 3 / 7, 0]),
            (Sampling(top_p=0.75), [0, 0, 0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]),
            (Sampling(top_k=3, top_p=0.5), [0, 0, 0, 4 / 7, 0, 3 / 7, 0]),
        ],
    )
    def test_tokens_are_drawn_as_often_as_they_are_probable(self, sampling: Sampling, expected: list[float]) -> None:
        frequencies = draws(sampling, list(self.probabilities))
        assert [frequency > 0 for frequency in frequencies.tolist()] == [probability > 0 for probability in expected]
        assert frequencies.tolist() == pytest.approx(expected, abs=0.04)


def test_chances_at_either_edge_pick_a_token_that_has_weight() -> None:
    weights = torch.tensor([0.0, 0.3, 0.0, 0.6, 0.0], dtype=torch.float64).expand(4, -1)
    chances = torch.tensor([0.0, 0.33, 0.34, 1.0], dtype=torch.float64)
    assert pick(weights, chances[:, None]).flatten().tolist() == [1, 1, 3, 3]


class TestNumbers:
    model = ToyModel(vocabulary=12, seed=3, spread=1.0, eos_bias=1.0)

    @pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.5, top_k=4, top_p=0.9)])
    def test_log_probs_and_attention_are_the_models_own(self, sampling: Sampling) -> None:
        for sentence, hypotheses in enumerate(sample(sampling, self.model, list(range(8)), LENGTHS, 4)):
            assert len(hypotheses) == 4
            for hypothesis in hypotheses:
                log_probs, attention = forced(self.model, sentence, LENGTHS[sentence], hypothesis.tokens)
                assert hypothesis.token_log_probs == pytest.approx(log_probs, abs=1e-10)
                assert hypothesis.log_prob == pytest.approx(sum(log_probs), abs=1e-10)
                assert hypothesis.score == hypothesis.log_prob
                assert hypothesis.tokens.index(EOS) == len(hypothesis.tokens) - 1
                assert torch.from_numpy(hypothesis.attention).allclose(attention, atol=1e-10, rtol=0)
            log_probs = [hypothesis.log_prob for hypothesis in hypotheses]
            assert log_probs == sorted(log_probs, reverse=True)

    def test_finished_sentences_leave_the_batch_at_once(self) -> None:
        self.model.calls.clear()
        results = sample(Sampling(), self.model, list(range(8)), LENGTHS, 2)
        lives = [max(len(hypothesis.tokens) for hypothesis in hypotheses) for hypotheses in results]
        assert self.model.calls == [2 * sum(life > number for life in lives) for number in range(max(lives))]
        assert len(set(self.model.calls)) > 4

    def test_every_sample_keeps_to_the_bounds_of_its_own_source(self) -> None:
        short_winded = ToyModel(vocabulary=10, seed=6, eos_bias=50.0)
        results = sample(Sampling(min_ratio=1.5), short_winded, list(range(8)), LENGTHS, 2)
        assert [[len(h.tokens) for h in hs] for hs in results] == [[max(1, int(1.5 * n))] * 2 for n in LENGTHS]
        endless = ToyModel(vocabulary=10, seed=6, eos_bias=-50.0)
        results = sample(Sampling(max_ratio=1.5, max_extra=2), endless, list(range(8)), LENGTHS, 2)
        assert [[len(h.tokens) for h in hs] for hs in results] == [[int(1.5 * n) + 2] * 2 for n in LENGTHS]
        assert not any(hypothesis.finished for hypotheses in results for hypothesis in hypotheses)
        assert all(hypothesis.token_log_probs[-1] < -30 for hypotheses in results for hypothesis in hypotheses)

    @pytest.mark.parametrize("sampling", [Sampling(), Sampling(top_k=2, top_p=0.5)])
    def test_a_model_that_allows_nothing_gives_no_sample(self, sampling: Sampling) -> None:
        def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
            return torch.full((len(tokens), 5), -torch.inf), torch.ones(len(tokens), 3), state

        state = self.model.start([0, 1], [3, 3])
        assert sampling(step, state, Request(torch.tensor([3, 3]), bos=BOS, eos=EOS, n_best=2)) == [[], []]


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"temperature": 0.0}, "temperature must be above 0 and finite, got 0.0; top_k=1 always takes"),
            ({"temperature": float("nan")}, "temperature must be above 0 and finite, got nan"),
            ({"top_k": -1}, "top_k must be 0 or more, got -1; 0 draws from every token"),
            ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0; 1 draws from every token"),
            ({"top_p": 1.5}, "top_p must be above 0 and at most 1, got 1.5"),
            ({"seed": -1}, "seed must be 0 or more, got -1; any whole number"),
            ({"min_ratio": 3.0}, "expected 0 <= min_ratio <= max_ratio < inf, got min_ratio=3.0 and max_ratio=2.0"),
            ({"max_extra": -2}, "max_extra must be 0 or more, got -2"),
        ],
    )
    def test_options_without_sense_are_refused(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            Sampling(**options)

    def test_asking_for_no_sample_is_refused(self) -> None:
        with pytest.raises(InputError, match="n_best must be 1 or more, got 0"):
            sample(Sampling(), ToyModel(), [0], [3], n_best=0)

    def test_nan_from_the_model_is_refused(self) -> None:
        def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
            return torch.full((len(tokens), 5), torch.nan), torch.ones(len(tokens), 3), state

        with pytest.raises(InputError, match="NaN as a log-probability of token 1, expected numbers"):
            Sampling()(step, ToyModel().start([0], [3]), Request(torch.tensor([3]), bos=BOS, eos=EOS))
