"""The best of blocks are the best of all: values and places are equal, bit for bit.

Of candidates that cannot be, at -inf, the values alone are promised, and of NaN that it comes through.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import BOS, EOS, ToyModel, ToyState

from s2s.errors import InputError
from s2s.search import BeamSearch, Hypothesis, Request, board, candidates
from s2s.search.candidates import BLOCK, best_of_blocks, top_candidates

# Less than a block, whole blocks, and blocks of which the last is nearly full or nearly empty.
VOCABULARIES = [10, BLOCK, BLOCK + 1, 5 * BLOCK - 1, 5 * BLOCK, 11 * BLOCK, 12 * BLOCK + 7]
COUNTS = [1, 2, 3, 5, 10, 12, 13, 29, 40, 1000]
SENTENCES = 6

every_vocabulary = pytest.mark.parametrize("vocabulary", VOCABULARIES)


@pytest.fixture(autouse=True, scope="module")
def _by_blocks() -> Iterator[None]:
    """Few scores, as these are, would be written out at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "FEW_SCORES", 0)
        yield


def test_few_scores_are_written_out_at_once(sentences_written_out: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    log_probs, live = drawn(2, 12 * BLOCK)
    monkeypatch.setattr(candidates, "FEW_SCORES", log_probs.numel())
    assert_best(log_probs, live, 3, (0,))
    assert sentences_written_out == [SENTENCES]


def written_out(
    log_probs: torch.Tensor, live: torch.Tensor, count: int, *, forbidden: tuple[int, ...] = ()
) -> tuple[torch.Tensor, torch.Tensor]:
    """The definition: every sum, forbidden tokens at -inf, and the best of them."""
    scores = live[:, :, None] + log_probs
    scores[:, :, list(forbidden)] = -torch.inf
    return top_candidates(scores.flatten(1), count)


def assert_best(log_probs: torch.Tensor, live: torch.Tensor, count: int, forbidden: tuple[int, ...] = ()) -> None:
    """Compare the best of blocks with the best of all."""
    before = log_probs.clone(), live.clone()
    values, places = best_of_blocks(log_probs, live, count, forbidden=forbidden)
    expected, wanted = written_out(log_probs, live, count, forbidden=forbidden)
    assert values.dtype == log_probs.dtype
    torch.testing.assert_close(values, expected, rtol=0, atol=0, equal_nan=True)
    possible = expected > -torch.inf
    assert places[possible].equal(wanted[possible])
    assert places.shape == wanted.shape
    assert ((places >= 0) & (places < log_probs[0].numel())).all()
    for given_, kept in zip((log_probs, live), before, strict=True):
        torch.testing.assert_close(given_, kept, rtol=0, atol=0, equal_nan=True)


def drawn(rows: int, vocabulary: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities (B, R, V) and what their beginnings have (B, R), in float64, all unequal."""
    random = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(SENTENCES, rows, vocabulary, generator=random, dtype=torch.float64).log_softmax(2)
    return log_probs, -torch.rand(SENTENCES, rows, generator=random, dtype=torch.float64)


@pytest.fixture
def sentences_written_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many sentences had all their scores written out, by call."""
    sentences, best_of_all = [], candidates._best_of_all

    def count_sentences(log_probs: torch.Tensor, *rest: Any) -> tuple[torch.Tensor, torch.Tensor]:
        sentences.append(len(log_probs))
        return best_of_all(log_probs, *rest)

    monkeypatch.setattr(candidates, "_best_of_all", count_sentences)
    return sentences


@every_vocabulary
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_best_of_blocks_are_the_best_of_all(rows: int, vocabulary: int) -> None:
    for count in COUNTS:
        for forbidden in ((), (0, 1, 2), (vocabulary - 1,), (1, vocabulary // 2, vocabulary - 2)):
            assert_best(*drawn(rows, vocabulary, seed=count), count, forbidden)


@every_vocabulary
@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("different", [1, 3, 40])
def test_of_equal_scores_the_one_further_left_wins(different: int, rows: int, vocabulary: int) -> None:
    """Whole numbers, so that sums with what is live are equal too."""
    random = torch.Generator().manual_seed(different)
    for count in COUNTS:
        scores = torch.randint(different, (SENTENCES, rows, vocabulary), generator=random).double()
        live = torch.randint(2, (SENTENCES, rows), generator=random).double()
        assert_best(scores, live, count, (0, 3, vocabulary - 1))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_best_of_blocks_are_the_best_of_all_whatever_the_scores(data: st.DataObject) -> None:
    """Few numbers, so that many are equal; some at -inf; two types of number."""
    rows, vocabulary = data.draw(st.integers(1, 4), "rows"), data.draw(st.integers(1, 4 * BLOCK + 2), "vocabulary")
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]), "type")
    numbers = torch.tensor([-torch.inf, -3.0, -2.5, -0.1, 0.0], dtype=dtype)
    random = torch.Generator().manual_seed(data.draw(st.integers(0, 999), "seed"))
    chances = torch.tensor(data.draw(st.sampled_from([[1, 1, 1, 1, 1], [50, 50, 1, 1, 1], [0, 300, 9, 1, 0]])))
    pick = chances.double().expand(2 * rows, -1).multinomial(vocabulary, replacement=True, generator=random)
    live = numbers[torch.randint(5, (2, rows), generator=random)]
    forbidden = data.draw(st.lists(st.integers(0, vocabulary - 1), max_size=6), "forbidden")
    count = data.draw(st.integers(1, 24), "count")
    assert_best(numbers[pick].view(2, rows, vocabulary), live, count, tuple(forbidden))


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_a_tie_across_blocks_at_the_last_place_is_seen(count: int) -> None:
    """The last candidate has equals in all blocks, the furthest left of them where the fewest would look."""
    log_probs = torch.full((1, 1, 20 * BLOCK), -9.0, dtype=torch.float64)
    log_probs[0, 0, BLOCK - 1 :: BLOCK] = -2.0
    log_probs[0, 0, torch.arange(count - 1) * BLOCK + 7 * BLOCK] = -1.0
    values, places = best_of_blocks(log_probs, torch.zeros(1, 1, dtype=torch.float64), count, forbidden=())
    assert values.tolist() == [[-1.0] * (count - 1) + [-2.0]]
    assert places.tolist() == [[7 * BLOCK + number * BLOCK for number in range(count - 1)] + [BLOCK - 1]]


def test_a_tie_that_the_sum_makes_is_seen() -> None:
    """In float32 16777216 + 1 is 16777216: log-probabilities that differ are equal once added to what is live."""
    log_probs = torch.full((1, 2, 4 * BLOCK), -16777216.0)
    log_probs[0, 1, [5, BLOCK + 5, 3 * BLOCK + 5]] = torch.tensor([0.0, 0.5, 1.0])
    live = torch.tensor([[0.0, 16777216.0]])
    assert_best(log_probs, live, 1)
    assert best_of_blocks(log_probs, live, 1, forbidden=())[1].tolist() == [[4 * BLOCK + 5]]


def test_only_sentences_with_equal_candidates_are_written_out(sentences_written_out: list[int]) -> None:
    log_probs, live = drawn(2, 12 * BLOCK)
    best_of_blocks(log_probs, live, 3, forbidden=(0,))
    assert sentences_written_out == []
    log_probs[[1, 4]] = -5.0
    best_of_blocks(log_probs, live, 3, forbidden=(0,))
    assert sentences_written_out == [2]


@pytest.mark.parametrize("dead", [[0], [3], [0, 1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 3, 4]])
@every_vocabulary
def test_nothing_comes_of_a_dead_row(vocabulary: int, dead: list[int]) -> None:
    log_probs, live = drawn(5, vocabulary)
    live[:, dead] = -torch.inf
    for count in COUNTS:
        assert_best(log_probs, live, count, (0, vocabulary - 1))


def test_one_token_that_may_come_is_found_among_those_that_may_not(sentences_written_out: list[int]) -> None:
    log_probs, live = torch.full((SENTENCES, 3, 9 * BLOCK), -torch.inf).double(), torch.zeros(SENTENCES, 3).double()
    log_probs[:, 1, 4 * BLOCK + 2] = -7.0
    values, places = best_of_blocks(log_probs, live, 4, forbidden=())
    assert values.tolist() == [[-7.0] + [-torch.inf] * 3] * SENTENCES
    assert places[:, 0].tolist() == [9 * BLOCK + 4 * BLOCK + 2] * SENTENCES
    assert sentences_written_out == []


class TestForbidden:
    """Tokens that never may come, and have the greatest scores."""

    vocabulary = 12 * BLOCK + 7

    @pytest.mark.parametrize(
        "forbidden",
        [
            (0,),
            tuple(range(3, 40)),
            tuple(range(BLOCK)),
            tuple(range(3 * BLOCK, 5 * BLOCK)),
            (1, BLOCK, 2 * BLOCK - 1, 7 * BLOCK + 9, 12 * BLOCK),
            tuple(range(0, 12 * BLOCK, BLOCK)),
            (12 * BLOCK + 6,),
            tuple(range(12 * BLOCK, 12 * BLOCK + 7)),
            (5, 5, 5),
        ],
        ids=["one", "one block", "a whole block", "two", "several", "all", "last", "whole last", "one thrice"],
    )
    @pytest.mark.parametrize("rows", [1, 4])
    def test_they_never_come(self, rows: int, forbidden: tuple[int, ...]) -> None:
        log_probs, live = drawn(rows, self.vocabulary)
        log_probs[:, :, list(forbidden)] = 5.0 + torch.arange(len(forbidden)).double()
        for count in COUNTS:
            assert_best(log_probs, live, count, forbidden)
        _, places = best_of_blocks(log_probs, live, 10, forbidden=forbidden)
        assert not torch.isin(places % self.vocabulary, torch.tensor(forbidden)).any()

    def test_a_vocabulary_of_them_alone_leaves_nothing(self) -> None:
        values, _ = best_of_blocks(*drawn(2, 3 * BLOCK), 4, forbidden=tuple(range(3 * BLOCK)))
        assert values.tolist() == [[-torch.inf] * 4] * SENTENCES

    def test_others_may_be_forbidden_the_next_time(self) -> None:
        log_probs, live = drawn(2, self.vocabulary)
        for forbidden in ((0, 70), (1, 70), (), (0, 70)):
            assert_best(log_probs, live, 5, forbidden)

    @pytest.mark.parametrize("count", [1, 5])
    def test_nan_of_one_does_not_come(self, count: int) -> None:
        log_probs, live = drawn(2, self.vocabulary)
        log_probs[:, :, [3, self.vocabulary - 1]] = torch.nan
        values, _ = best_of_blocks(log_probs, live, count, forbidden=(3, self.vocabulary - 1))
        assert not values.isnan().any()
        assert_best(log_probs, live, count, (3, self.vocabulary - 1))


class TestNan:
    """The search's check sees the candidates alone, so NaN has to be one of them wherever it stands."""

    @pytest.mark.parametrize("token", [0, 5, BLOCK, 9 * BLOCK + 1, 12 * BLOCK + 6])
    @pytest.mark.parametrize("row", [0, 3])
    @pytest.mark.parametrize("count", [1, 2, 10])
    def test_nan_comes_through(self, count: int, row: int, token: int) -> None:
        log_probs, live = drawn(4, 12 * BLOCK + 7)
        log_probs[2, row, token] = torch.nan
        values, _ = best_of_blocks(log_probs, live, count, forbidden=(1, 2))
        assert values.isnan().any(dim=1).tolist() == [sentence == 2 for sentence in range(SENTENCES)]
        assert_best(log_probs, live, count, (1, 2))

    @pytest.mark.parametrize("count", [1, 5, 10])
    def test_rows_of_nan_come_through(self, count: int) -> None:
        log_probs, live = drawn(4, 12 * BLOCK + 7)
        log_probs[0, 1] = torch.nan
        live[3, 2] = torch.nan
        log_probs[5, 0, ::3] = torch.nan
        assert_best(log_probs, live, count, (1, 2))

    def test_the_search_refuses_it_in_a_great_vocabulary(self) -> None:
        model = ToyModel(vocabulary=700)
        model.output[:, 650] = torch.nan

        def step(tokens: torch.Tensor, state: ToyState) -> tuple[torch.Tensor, torch.Tensor, ToyState]:
            log_probs, attention, state = model(tokens, state)
            return log_probs.nan_to_num(nan=-9.0) if len(tokens) == 2 else log_probs, attention, state

        searcher = BeamSearch(beam_size=3)
        with pytest.raises(InputError, match="NaN as a log-probability of token 2"):
            searcher(step, model.start([0, 1], [3, 4]), Request(torch.tensor([3, 4]), bos=BOS, eos=EOS))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_narrow_numbers_of_which_many_are_equal_have_the_same_best(dtype: torch.dtype) -> None:
    log_probs, live = (part.to(dtype) for part in drawn(3, 12 * BLOCK + 7))
    for count in COUNTS:
        assert_best(log_probs, live, count, (0, 2))


def test_one_sentences_best_do_not_depend_on_the_others() -> None:
    log_probs, live = drawn(3, 12 * BLOCK + 7)
    log_probs[[0, 3]] = log_probs[[0, 3]].round()
    values, places = best_of_blocks(log_probs, live, 10, forbidden=(0,))
    for sentence in range(SENTENCES):
        one = slice(sentence, sentence + 1)
        alone = best_of_blocks(log_probs[one], live[one], 10, forbidden=(0,))
        assert alone[0].equal(values[one])
        assert alone[1].equal(places[one])


def test_log_probs_may_lie_in_memory_as_they_like() -> None:
    log_probs, live = drawn(3, 12 * BLOCK + 7)
    looks = (log_probs[:1].expand(SENTENCES, -1, -1), log_probs.mT.contiguous().mT, log_probs[:, :, 3 : 6 * BLOCK])
    for look in looks:
        assert_best(look, live, 7, (0,))


class TestSearch:
    """A whole search by blocks, and by all scores written out."""

    model = ToyModel(vocabulary=1000, seed=3, spread=1.0, eos_bias=4.0)
    lengths = tuple(1 + number % 7 for number in range(40))
    forbidden = (BOS, *range(2, 200, 3))

    def run(self, searcher: BeamSearch) -> list[list[Hypothesis]]:
        n_best, lengths = min(3, searcher.beam_size), torch.tensor(self.lengths)
        request = Request(lengths, bos=BOS, eos=EOS, n_best=n_best, forbidden=self.forbidden)
        return searcher(self.model, self.model.start(range(40), self.lengths), request)

    @pytest.mark.parametrize(
        "searcher",
        [BeamSearch(), BeamSearch(beam_size=1), BeamSearch(beam_size=20), BeamSearch(beam_size=4, min_ratio=0.5)],
        ids=["five", "one", "twenty", "four, of some length"],
    )
    def test_blocks_do_not_change_what_is_found(
        self, searcher: BeamSearch, monkeypatch: pytest.MonkeyPatch, sentences_written_out: list[int]
    ) -> None:
        by_blocks = self.run(searcher)
        calls = []

        def all_scores(
            log_probs: torch.Tensor, live: torch.Tensor, count: int, *, forbidden: tuple[int, ...]
        ) -> tuple[torch.Tensor, torch.Tensor]:
            calls.append(1)
            return written_out(log_probs, live, count, forbidden=forbidden)

        monkeypatch.setattr(board, "best_of_blocks", all_scores)
        expected = self.run(searcher)
        assert len(calls) > len(sentences_written_out)
        assert len({len(hypotheses[0].tokens) for hypotheses in expected}) > 3
        assert all(set(one.tokens).isdisjoint(self.forbidden) for found in by_blocks for one in found)
        for found, wanted in zip(by_blocks, expected, strict=True):
            assert [one.tokens for one in found] == [one.tokens for one in wanted]
            assert [(one.score, one.finished) for one in found] == [(one.score, one.finished) for one in wanted]
            assert [one.token_log_probs for one in found] == [one.token_log_probs for one in wanted]
            assert all((a.attention == b.attention).all() for a, b in zip(found, wanted, strict=True))
