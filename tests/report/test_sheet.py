"""What is shown of a sentence has as many numbers as labels."""

import numpy as np
import pytest

from s2s.errors import InputError
from s2s.report.sheet import View

SOURCE, TARGET = ("der", "Hund", "</s>"), ("the", "dog")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.ones((3, 2))}, r"attention has shape \(3, 2\), expected \(target, source\) = \(2, 3\) for"),
        (
            {"parts": {"head 1": np.ones((2, 2))}},
            r"attention has shape \(2, 2\), expected .* = \(2, 3\)",
        ),
        ({"log_probs": (-1.0,)}, "^1 log-probabilities for 2 target labels; give one for each$"),
    ],
)
def test_labels_and_numbers_that_differ_in_count_are_refused(change, message):
    whole = {"source": SOURCE, "target": TARGET, "weights": np.ones((2, 3)), "log_probs": (-1.0, -2.0)}
    View(**whole)
    with pytest.raises(InputError, match=message):
        View(**{**whole, **change})
