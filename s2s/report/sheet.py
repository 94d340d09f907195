"""What is shown of one sentence: hypotheses beside each other, each as a matrix between labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2s.errors import InputError

__all__ = ["Panel", "Sheet", "View"]

Matrix = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class View:
    """Attention between labels, T of the target and S of the source.

    Args:
        source: S labels, pieces or words; the sentence end that was attended to is the last, ``</s>``.
        target: T labels.
        weights: (T, S), a row per target label.
        log_probs: of each target label, T natural logarithms.
        parts: matrices of the same shape that go into the weights, such as each head of multi-head attention or the
            window that attention looked through, by name.

    Raises:
        InputError: labels and numbers differ in count.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: Matrix
    log_probs: tuple[float, ...]
    parts: Mapping[str, Matrix] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = (len(self.target), len(self.source))
        for matrix in (self.weights, *self.parts.values()):
            if matrix.shape != expected:
                raise InputError(
                    f"attention has shape {matrix.shape}, expected (target, source) = {expected} for these labels; "
                    "pass the matrix and the pieces of one sentence"
                )
        if len(self.log_probs) != len(self.target):
            raise InputError(
                f"{len(self.log_probs)} log-probabilities for {len(self.target)} target labels; give one for each"
            )

    def as_dict(self) -> dict[str, Any]:
        """The same in JSON's types, numbers rounded to six digits after the point."""
        return {
            "source": list(self.source),
            "target": list(self.target),
            "attention": _rounded(self.weights),
            "log_probs": [round(value, 6) for value in self.log_probs],
            "parts": {name: _rounded(matrix) for name, matrix in self.parts.items()},
        }


@dataclass(frozen=True, eq=False)
class Panel:
    """One hypothesis for a source: its text and score, seen by ``pieces`` and by ``words``.

    Args:
        title: what tells it from the panels beside it, such as its rank, its model or its checkpoint.
        text: as people write it.
        score: what hypotheses are ranked by.
        log_prob: the model's log-probability, natural logarithm, the sum over its pieces.
        views: ``pieces`` and ``words``.
        links: alignment of the words, in Pharaoh's format.
    """

    title: str
    text: str
    score: float
    log_prob: float
    views: Mapping[str, View]
    links: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same in JSON's types."""
        return {
            "title": self.title,
            "text": self.text,
            "score": round(self.score, 6),
            "log_prob": round(self.log_prob, 6),
            "links": self.links,
            "views": {name: view.as_dict() for name, view in self.views.items()},
        }


@dataclass(frozen=True, eq=False)
class Sheet:
    """One source sentence and all that is shown of it.

    Args:
        source: as it was given.
        panels: one or more; none for a line without words.
        notes: lines to print above them, such as why a report shows this sentence.
        best: how many of the panels, from the first on, show the best hypothesis: one, or one for each part of a line
            that was translated in parts.
    """

    source: str
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    best: int = 1

    @property
    def links(self) -> str:
        """Those of the best hypothesis."""
        return " ".join(panel.links for panel in self.panels[: self.best] if panel.links)

    @property
    def notice(self) -> str:
        """The notes in one."""
        return "; ".join(self.notes)

    def as_dict(self) -> dict[str, Any]:
        """The same in JSON's types."""
        return {
            "source": self.source,
            "notes": list(self.notes),
            "panels": [panel.as_dict() for panel in self.panels],
        }


def _rounded(matrix: Matrix) -> list[list[float]]:
    return [[round(float(weight), 6) for weight in row] for row in matrix]
