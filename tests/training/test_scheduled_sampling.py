"""The probability of the true token against values worked by hand from Bengio et al. (2015), section 2.4."""

import itertools
import math

import pytest

from s2s.building import build
from s2s.config import compose
from s2s.errors import InputError
from s2s.training.scheduled_sampling import (
    ConstantSampling,
    ExponentialDecay,
    InverseSigmoidDecay,
    LinearDecay,
    TeacherForcing,
)

CHOICES = {
    "none": TeacherForcing,
    "constant": ConstantSampling,
    "linear": LinearDecay,
    "exponential": ExponentialDecay,
    "inverse_sigmoid": InverseSigmoidDecay,
}
EXAMPLES = [
    TeacherForcing(),
    ConstantSampling(probability=0.3),
    LinearDecay(start=0.9, slope=0.01, least=0.2),
    LinearDecay(start=1, slope=0.3, least=0),
    ExponentialDecay(k=0.97),
    ExponentialDecay(k=1),
    InverseSigmoidDecay(k=1),
    InverseSigmoidDecay(k=30.5),
]


def truths(schedule, *updates):
    return [schedule.truth(number) for number in updates]


def test_teacher_forcing_reads_the_truth_always():
    assert truths(TeacherForcing(), 0, 1, 10**9) == [1, 1, 1]


def test_a_constant_never_changes():
    assert truths(ConstantSampling(probability=0.25), 0, 1, 10**9) == [0.25, 0.25, 0.25]


def test_the_linear_decay_is_a_straight_line_and_then_a_floor():
    schedule = LinearDecay(start=0.9, slope=0.01, least=0.2)
    assert truths(schedule, 0, 1, 10, 69, 70, 71, 10**9) == pytest.approx([0.9, 0.89, 0.8, 0.21, 0.2, 0.2, 0.2])


def test_the_exponential_decay_halves_and_halves():
    assert truths(ExponentialDecay(k=0.5), 0, 1, 2, 3, 10) == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 1024]


def test_an_exponential_of_one_is_teacher_forcing():
    assert truths(ExponentialDecay(k=1), 0, 1, 10**9) == [1, 1, 1]


def test_the_inverse_sigmoid_passes_its_known_points():
    # k / (k + exp(i / k)) for k = 10: exp(0) = 1, exp(1) = 2.718282, exp(2) = 7.389056, exp(3) = 20.085537
    assert truths(InverseSigmoidDecay(k=10), 0, 10, 20, 30) == pytest.approx(
        [10 / 11, 10 / 12.718282, 10 / 17.389056, 10 / 30.085537], rel=1e-6
    )


def test_the_inverse_sigmoid_is_one_half_after_k_ln_k_updates():
    assert InverseSigmoidDecay(k=500).truth(round(500 * math.log(500))) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=lambda schedule: type(schedule).__name__)
def test_every_schedule_falls_within_zero_and_one(schedule):
    seen = truths(schedule, *range(200), 10**4, 10**6, 10**12)
    assert all(0 <= truth <= 1 for truth in seen)
    assert all(later <= earlier for earlier, later in itertools.pairwise(seen))


def test_most_of_the_examples_do_fall():
    assert sum(schedule.truth(10**6) < schedule.truth(0) for schedule in EXAMPLES) == 5


def test_no_number_of_updates_is_too_large():
    assert truths(InverseSigmoidDecay(k=1), 710, 10**15) == pytest.approx([0, 0], abs=1e-300)
    assert ExponentialDecay(k=0.5).truth(10**15) == 0


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_is_built_and_begins_near_the_truth(name):
    schedule = build(compose("train", [f"scheduled_sampling={name}"]).scheduled_sampling, "scheduled_sampling")
    assert type(schedule) is CHOICES[name]
    assert schedule.truth(0) > 0.7


def test_teacher_forcing_is_what_training_does_unless_asked():
    assert isinstance(build(compose("train", []).scheduled_sampling, "scheduled_sampling"), TeacherForcing)


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (ConstantSampling, {"probability": 1.1}, "probability=1.1 is no probability of the true token; give a number"),
        (ConstantSampling, {"probability": -0.1}, "probability=-0.1 is no probability"),
        (ConstantSampling, {"probability": math.nan}, "probability=nan is no probability"),
        (LinearDecay, {"start": 1.1}, r"start=1.1 and scheduled_sampling\.least=0.5 are no way down; give two"),
        (LinearDecay, {"start": 0.4}, "start=0.4 .* least not above start"),
        (LinearDecay, {"least": -0.1}, "least=-0.1 are no way down"),
        (LinearDecay, {"slope": -1e-3}, "slope=-0.001 does not go down; give what each update takes away, 0 or more"),
        (LinearDecay, {"slope": math.nan}, "slope=nan does not go down"),
        (ExponentialDecay, {"k": 0.0}, "k=0.0 is no exponential decay; give a number above 0, at most 1"),
        (ExponentialDecay, {"k": 1.01}, "k=1.01 is no exponential decay"),
        (InverseSigmoidDecay, {"k": 0.5}, "k=0.5 is no inverse sigmoid decay; give a number from 1 up"),
        (InverseSigmoidDecay, {"k": math.inf}, "k=inf is no inverse sigmoid decay"),
    ],
)
def test_values_out_of_range_are_refused(schedule, options, message):
    with pytest.raises(InputError, match=rf"scheduled_sampling\.{message}"):
        schedule(**options)
