"""Batches: every row once, no budget passed, little padding, and ids where they belong."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s.errors import InputError
from s2s.text.batching import Batch, ParallelIds, SentenceIds, Sequences, collate, padding_share, plan_batches


def lengths_of(rows, seed=0):
    return np.random.default_rng(seed).integers(1, 30, size=(2, rows))


def lists(batches):
    return [batch.tolist() for batch in batches]


@settings(deadline=None, max_examples=100)
@given(
    pairs=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=60),
    tokens=st.integers(1, 200),
    sentences=st.none() | st.integers(1, 10),
    seed=st.none() | st.integers(0, 5),
)
def test_every_row_is_in_one_batch_and_no_batch_passes_its_budget(pairs, tokens, sentences, seed):
    source, target = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    shuffle = None if seed is None else np.random.default_rng(seed)
    batches = plan_batches(source, target, tokens=tokens, sentences=sentences, shuffle=shuffle)
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(pairs)))
    for batch in batches:
        longest = max(source[batch].max(), target[batch].max())
        assert len(batch) == 1 or longest * len(batch) <= tokens
        assert sentences is None or len(batch) <= sentences


def test_batches_are_filled_up_to_the_budget_in_order_of_length():
    source, target = np.array([1, 1, 9, 2, 3]), np.array([2, 2, 1, 4, 4])
    assert lists(plan_batches(source, target, tokens=9)) == [[2], [0, 1], [3, 4]]
    assert lists(plan_batches(source, target, tokens=8, sentences=1)) == [[2], [0], [1], [3], [4]]


def test_a_row_longer_than_the_budget_is_alone():
    source, target = np.array([2, 2, 50, 2]), np.array([3, 4, 3, 3])
    assert lists(plan_batches(source, target, tokens=12)) == [[0, 3], [2], [1]]


def test_shuffling_follows_the_seed():
    source, target = lengths_of(200)

    def plan(seed):
        return lists(plan_batches(source, target, tokens=60, shuffle=np.random.default_rng(seed)))

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    assert lists(plan_batches(source, target, tokens=60)) == lists(plan_batches(source, target, tokens=60))


def test_every_epoch_has_batches_of_its_own_and_not_only_another_order():
    source = target = np.full(40, 5)
    generator = np.random.default_rng(0)
    epochs = [plan_batches(source, target, tokens=20, shuffle=generator) for _ in range(2)]
    first, second = ({frozenset(batch) for batch in lists(batches)} for batches in epochs)
    assert first != second


def test_sorting_leaves_little_padding_and_shuffling_adds_none_to_speak_of():
    source, target = (np.random.default_rng(1).integers(2, 30, size=4000) for _ in "st")
    for shuffle in (None, np.random.default_rng(2)):
        assert padding_share(plan_batches(target, target, tokens=400, shuffle=shuffle), target) < 0.02
    unsorted = [np.arange(start, start + 20) for start in range(0, 4000, 20)]
    assert padding_share(unsorted, source) > 0.3


def test_padding_share_by_hand():
    source, target = np.array([1, 3, 2, 2]), np.array([4, 4, 1, 2])
    batches = [np.array([0, 1]), np.array([2, 3])]
    assert padding_share(batches, source) == pytest.approx(1 - 8 / 10)
    assert padding_share(batches, source, target) == pytest.approx(1 - (8 + 11) / (10 + 12))
    assert padding_share([], source) == 0


def test_no_rows_make_no_batches():
    none = np.array([], dtype=np.int64)
    assert plan_batches(none, none, tokens=5) == []
    assert plan_batches(none, none, tokens=5, shuffle=np.random.default_rng(0)) == []


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"tokens": 0}, "a batch of 0 tokens holds nothing; set training.batch_tokens .* to 1 or more"),
        ({"tokens": -5}, "a batch of -5 tokens"),
        ({"tokens": 5, "sentences": 0}, "a batch of 0 sentences holds nothing; set training.batch_sentences"),
    ],
)
def test_a_budget_that_holds_nothing_is_refused(budget, message):
    with pytest.raises(InputError, match=message):
        plan_batches(np.array([1]), np.array([1]), **budget)


def test_collating_pads_on_the_right_with_pad():
    sequences = collate([[4, 5, 3], np.array([3]), [6, 3]])
    assert sequences.ids.tolist() == [[4, 5, 3], [3, 0, 0], [6, 3, 0]]
    assert sequences.lengths.tolist() == [3, 1, 2]
    assert sequences.ids.dtype == sequences.lengths.dtype == torch.int64


def test_a_mask_is_true_on_real_tokens():
    mask = collate([[4, 5, 3], [3]]).mask
    assert mask.tolist() == [[True, True, True], [True, False, False]]
    # A token may be PAD by a person's doing; where a sentence ends is its length's affair.
    assert Sequences(torch.zeros(1, 3, dtype=torch.int64), torch.tensor([2])).mask.tolist() == [[True, True, False]]


def test_flat_sentences_are_the_lists_they_were_made_of():
    sentences = [[4, 5, 3], [3], [], [7, 3]]
    flat = SentenceIds.of(sentences)
    assert [flat[row].tolist() for row in range(len(flat))] == sentences
    assert flat.lengths.tolist() == [3, 1, 0, 2]
    assert len(SentenceIds.of([])) == 0


def pairs():
    return ParallelIds(
        SentenceIds.of([[4, 3], [3], [5, 6, 7, 3], [8, 3], [5, 3]]),
        SentenceIds.of([[9, 3], [9, 3], [9, 3], [3], [9, 9, 9, 9, 3]]),
    )


def test_a_batch_holds_the_pairs_of_its_rows_in_their_order():
    batch = pairs().batch(np.array([2, 0]))
    assert batch.source.ids.tolist() == [[5, 6, 7, 3], [4, 3, 0, 0]]
    assert batch.target.ids.tolist() == [[9, 3], [9, 3]]
    assert batch.rows == (2, 0)
    assert batch.target_tokens == 4
    assert Batch(batch.source, None, batch.rows).target_tokens == 0


def test_a_gpu_copies_from_pinned_memory_and_is_not_waited_for(monkeypatch):
    done = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: done.append("pinned") or tensor)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device, non_blocking: done.append(non_blocking) or tensor)
    pairs().batch([0, 2]).to(torch.device("cuda"))
    assert done == ["pinned", True] * 2


def test_a_batch_moves_with_both_sides_or_with_the_one_it_has():
    batch = pairs().batch([0, 2])
    moved = batch.to(torch.device("meta"))
    assert {side.device.type for side in (moved.source.ids, moved.source.mask, moved.target.ids)} == {"meta"}
    assert moved.source.lengths.tolist() == batch.source.lengths.tolist()  # which stay where they can be read
    assert moved.rows == batch.rows
    assert Batch(batch.source, None, (0, 2)).to(torch.device("cpu")).target is None


@pytest.mark.parametrize(
    ("longest", "rows", "over_long"), [(4, [0, 2, 4], 0), (3, [0, 2], 1), (2, [0], 2), (1, [0], 2), (0, [], 3)]
)
def test_usable_pairs_have_two_sides_and_neither_too_long(longest, rows, over_long):
    usable, empty, left_out = pairs().usable(longest)
    assert (usable.tolist(), empty, left_out) == (rows, 2, over_long)
    assert len(usable) + empty + left_out == len(pairs())
