"""Translations between words, good ones and bad ones of every kind."""

import math

import numpy as np

from s2s.report.sheet import View

GERMAN = "Der kleine Hund läuft sehr schnell durch den Park . </s>"


def view(source: str, target: str, looks=None, probability: float = 1.0) -> View:
    """Words between blanks; ``looks`` is the source index each target word looks at, the same index without one."""
    source_words, target_words = tuple(source.split()), tuple(target.split())
    looks = range(len(target_words)) if looks is None else looks
    weights = np.eye(len(source_words))[list(looks)]
    return View(source_words, target_words, weights, (math.log(probability),) * len(target_words))


GOOD = view(GERMAN, "The little dog runs very fast through the park . </s>", probability=0.9)
HALF = view(GERMAN, "The little dog . </s>", [0, 1, 2, 9, 10], probability=0.9)
LOOP = view(
    GERMAN,
    "The little dog runs little dog runs little dog runs very fast through the park . </s>",
    [0, 1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    probability=0.9,
)
ABSENT = View(GOOD.source, GOOD.target, 0.3 * np.eye(11) + 0.7 / 11, GOOD.log_probs)
