"""Learning rates against values worked by hand."""

import math

import pytest

from s2s.errors import InputError
from s2s.training.schedule import Constant, Cosine, InverseSquareRoot, Linear, Plateau, stale


def factor(schedule, *, updates=10**6, progress=0.0, scores=()):
    return schedule.factor(updates=updates, progress=progress, scores=scores)


@pytest.mark.parametrize("schedule", [Constant, Linear, Cosine, InverseSquareRoot, Plateau])
def test_warmup_rises_in_equal_steps_to_the_full_rate(schedule):
    assert [factor(schedule(warmup=4), updates=n) for n in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_without_warmup_the_first_update_has_the_full_rate():
    assert factor(Constant(), updates=0) == 1


def test_the_constant_schedule_never_changes():
    assert {factor(Constant(), progress=share, scores=[1, 0, 0, 0]) for share in (0, 0.5, 1)} == {1.0}


def test_the_linear_tail_falls_in_a_straight_line_to_zero():
    factors = [factor(Linear(decay_from=0.6), progress=share) for share in (0, 0.6, 0.7, 0.8, 0.9, 1.0)]
    assert factors == pytest.approx([1, 1, 0.75, 0.5, 0.25, 0])


def test_no_rate_is_negative_where_training_overshoots_its_limit():
    for schedule in (Linear(), Cosine()):
        assert factor(schedule, progress=1.2) == pytest.approx(0)


def test_warmup_multiplies_the_tail():
    assert factor(Linear(warmup=10, decay_from=0.0), updates=4, progress=0.5) == pytest.approx(0.5 * 0.5)


def test_the_cosine_passes_its_known_points():
    factors = [factor(Cosine(), progress=share) for share in (0, 1 / 3, 0.5, 2 / 3, 1)]
    assert factors == pytest.approx([1, 0.75, 0.5, 0.25, 0])


def test_the_inverse_square_root_halves_when_updates_are_fourfold():
    schedule = InverseSquareRoot(warmup=100)
    assert [factor(schedule, updates=n - 1) for n in (100, 200, 400, 1600)] == pytest.approx(
        [1, 1 / math.sqrt(2), 0.5, 0.25]
    )


def test_the_inverse_square_root_without_warmup_starts_at_one():
    assert [factor(InverseSquareRoot(), updates=n) for n in (0, 3, 8)] == pytest.approx([1, 1 / 2, 1 / 3])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], 1),
        ([5.0], 1),
        ([5, 4], 1),
        ([5, 4, 4.5], 0.5),
        ([5, 4, 6, 5], 1),
        ([5, 4, 3, 2, 1], 0.25),
        ([5, 4, 3, 2, 6, 1, 1], 0.25),
        ([5, 5, 5], 0.5),
    ],
)
def test_the_plateau_decays_after_two_validations_without_a_better_one(scores, expected):
    assert factor(Plateau(decay=0.5, patience=2), scores=scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scores", "expected"), [([], 0), ([1], 0), ([1, 2], 0), ([2, 1], 1), ([2, 2, 2], 2), ([1, 3, 2, 2], 2)]
)
def test_stale_counts_validations_since_the_best(scores, expected):
    assert stale(scores) == expected


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (Constant, {"warmup": -1}, "warmup=-1 is negative; give the number"),
        (Plateau, {"warmup": -1}, "warmup=-1 is negative"),
        (Linear, {"decay_from": 1.0}, "decay_from=1.0 is no share of training; give"),
        (Linear, {"decay_from": -0.1}, "decay_from=-0.1 is no share"),
        (Plateau, {"decay": 1.0}, "decay=1.0 and scheduler.patience=2 make no plateau; give"),
        (Plateau, {"decay": 0.0}, "decay=0.0"),
        (Plateau, {"patience": 0}, "patience=0 make no plateau"),
    ],
)
def test_values_out_of_range_are_refused(schedule, options, message):
    with pytest.raises(InputError, match=message):
        schedule(**options)
