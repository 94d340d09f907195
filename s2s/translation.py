"""Translations: text, how probable it is, and what the model looked at; and how ids become them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from s2s.errors import InputError
from s2s.report.sheet import View
from s2s.report.words import merge_pieces
from s2s.search.hypothesis import Hypothesis
from s2s.text.tokenizer import Tokenizer

__all__ = ["Rendering", "Translation"]


@dataclass(frozen=True)
class Translation:
    """One translation. Labels and matrix go together: ``attention`` is (target tokens, source tokens).

    ``score`` is what hypotheses are ranked by, ``log_prob`` the model's log-probability, natural logarithm, summed
    over ``token_log_probs``. Tokens are pieces in the order in which they are read, the end mark last. ``finished`` is
    False where the length limit ended it. ``alternatives`` are the other hypotheses, best first. ``run_scores`` is what
    each run says of it, by name, where several were asked. An empty source has no tokens.
    """

    source: str
    text: str
    score: float
    log_prob: float
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    token_log_probs: tuple[float, ...]
    attention: np.ndarray
    finished: bool = True
    alternatives: tuple["Translation", ...] = ()
    run_scores: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def empty(cls, source: str) -> "Translation":
        """The translation of a line without words: no words."""
        return cls(source, "", 0.0, 0.0, (), (), (), np.zeros((0, 0), np.float32))

    @property
    def hypotheses(self) -> tuple["Translation", ...]:
        """This one and its alternatives, best first, each alone."""
        return replace(self, alternatives=()), *self.alternatives

    def as_dict(self) -> dict[str, object]:
        """Everything in JSON's types; attention is a list of rows, one per target token."""
        fields: dict[str, object] = dict(vars(self))
        fields["attention"] = [[round(float(weight), 6) for weight in row] for row in self.attention]
        fields["alternatives"] = [one.as_dict() for one in self.alternatives]
        if not self.run_scores:
            del fields["run_scores"]
        return fields

    def pieces(self) -> View:
        """Attention between pieces.

        Raises:
            InputError: the model looks at nothing.
        """
        if self.source_tokens and not self.attention.shape[1]:
            raise InputError("a model without attention (model/attention=none) has none to show; take another run")
        return View(self.source_tokens, self.target_tokens, self.attention, self.token_log_probs)

    def words(self) -> View:
        """Attention between words."""
        return merge_pieces(self.pieces())

    def draw(self, path: str | Path) -> str:
        """Draw a heatmap, ``.png``, ``.svg`` or ``.pdf``; return what a person should know of it, if anything.

        Raises:
            InputError: the model looks at nothing, so there is nothing to draw.
        """
        from s2s.report.heatmap import draw_heatmap

        return draw_heatmap(self.pieces(), path)


@dataclass(frozen=True)
class Rendering:
    """Between ids, in the order in which a model writes them, and what people read: by the tokenizers of a run."""

    source: Tokenizer
    target: Tokenizer

    def target_ids(self, target: str | Sequence[str]) -> list[int]:
        """The ids of a text, or of the pieces of a translation."""
        return self.target.encode([target])[0] if isinstance(target, str) else self.target.ids_of(self.turned(target))

    def found(self, source: str, hypotheses: Sequence[Hypothesis]) -> Translation:
        """What a search found, best first; the first carries the others."""
        source_tokens = tuple(self.source.pieces(source))
        first, *others = (
            Translation(
                source=source,
                text=self.target.decode(hypothesis.tokens),
                score=hypothesis.score,
                log_prob=hypothesis.log_prob,
                source_tokens=source_tokens,
                target_tokens=tuple(self.turned(self.target.pieces_of(hypothesis.tokens))),
                token_log_probs=tuple(self.turned(hypothesis.token_log_probs)),
                attention=self.turned(hypothesis.attention[:, : len(source_tokens)]),
                finished=hypothesis.finished,
            )
            for hypothesis in hypotheses
        )
        return replace(first, alternatives=tuple(others))

    def scored(
        self, source: str, target: str | Sequence[str], log_probs: Sequence[float], attention: np.ndarray
    ) -> Translation:
        """A given target, with the log-probability of every token, (T,), and attention (T, S)."""
        log_prob = sum(log_probs)
        return Translation(
            source=source,
            text=target if isinstance(target, str) else self.target.decode(self.target_ids(target)),
            score=log_prob,
            log_prob=log_prob,
            source_tokens=tuple(self.source.pieces(source)),
            target_tokens=tuple(self.turned(self.target.pieces(target)) if isinstance(target, str) else target),
            token_log_probs=tuple(self.turned(log_probs)),
            attention=self.turned(attention),
        )

    def turned(self, rows: Any) -> Any:
        """Bring a target's rows from the order they are written in to that they are read in, or back; EOS stays last.

        The two differ for a run that writes backwards.
        """
        if not self.target.backwards:
            return rows
        order = [*range(len(rows) - 2, -1, -1), len(rows) - 1]
        return rows[order] if isinstance(rows, np.ndarray) else [rows[place] for place in order]
