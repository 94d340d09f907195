"""What is kept of a run's training."""

import pytest

from s2s.training.result import training_summary


def train(seconds, speed):
    return {"split": "train", "updates": seconds * 10, "seconds": seconds, "tokens_per_second": speed}


def valid(seconds, perplexity, *, best):
    return {"split": "valid", "updates": seconds * 10, "seconds": seconds, "perplexity": perplexity, "best": best}


def test_speed_is_of_the_stretches_without_a_validation():
    # 10 s at 100 tokens/s and 30 s at 200; the stretches that end at 25 and at 70 saw a validation.
    records = [train(10, 100), valid(15, 9.0, best=True), train(25, 1), train(55, 200), valid(60, 8.0, best=True)]
    summary = training_summary([*records, train(70, 1)])
    assert summary["tokens_per_second"] == pytest.approx((10 * 100 + 30 * 200) / 40)


def test_perplexity_is_that_of_the_best_checkpoint_and_time_goes_to_the_last_record():
    records = [valid(10, 9.0, best=True), valid(20, 8.0, best=True), valid(30.5, 7.0, best=False)]
    assert training_summary(records) == {"seconds": 30.5, "updates": 305, "validation_perplexity": 8.0}


def test_nothing_is_known_of_no_records():
    assert training_summary([]) == {}
