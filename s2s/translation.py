"""Translations: text, how probable it is, and what the model looked at; and how ids become them."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from s2s.errors import InputError
from s2s.report.sheet import View
from s2s.report.words import merge_pieces
from s2s.search.hypothesis import Hypothesis
from s2s.text.cutting import rejoined
from s2s.text.tokenizer import Tokenizer

__all__ = ["Rendering", "Translation"]


@dataclass(frozen=True)
class Translation:
    """One translation. Labels and matrix go together: ``attention`` is (target tokens, source tokens).

    A source too long to be translated at once is translated in ``parts``, and all it has is theirs one after the other,
    each with its own end marks; ``score`` is the mean of theirs. ``weights`` is the attention of one in one part.

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
    weights: np.ndarray
    finished: bool = True
    alternatives: tuple["Translation", ...] = ()
    run_scores: Mapping[str, float] = field(default_factory=dict)
    parts: tuple["Translation", ...] = ()

    @classmethod
    def empty(cls, source: str) -> "Translation":
        """The translation of a line without words: no words."""
        return cls(source, "", 0.0, 0.0, (), (), (), np.zeros((0, 0), np.float32))

    @classmethod
    def joined(cls, source: str, parts: Sequence["Translation"], *, n_best: int = 1) -> "Translation":
        """The translation of a source that was translated in parts.

        Its hypotheses, at most ``n_best``, have one of each part's, and their scores have the greatest sums.
        """
        best: list[tuple[float, tuple[Translation, ...]]] = [(0.0, ())]
        for part in parts:
            longer = [(score + one.score, (*chosen, one)) for score, chosen in best for one in part.hypotheses]
            best = heapq.nlargest(n_best, longer, key=itemgetter(0))
        first, *others = (cls._of_parts(source, chosen) for _, chosen in best)
        return replace(first, alternatives=tuple(others))

    @classmethod
    def _of_parts(cls, source: str, parts: tuple["Translation", ...]) -> "Translation":
        """One hypothesis, of one of each part."""
        run_scores = {name: fmean(part.run_scores[name] for part in parts) for name in parts[0].run_scores}
        return cls(
            source=source,
            text=rejoined([part.text for part in parts]),
            score=fmean(part.score for part in parts),
            log_prob=sum(part.log_prob for part in parts),
            source_tokens=tuple(chain.from_iterable(part.source_tokens for part in parts)),
            target_tokens=tuple(chain.from_iterable(part.target_tokens for part in parts)),
            token_log_probs=tuple(chain.from_iterable(part.token_log_probs for part in parts)),
            weights=np.zeros((0, 0), np.float32),
            finished=all(part.finished for part in parts),
            run_scores=run_scores,
            parts=parts,
        )

    @property
    def attention(self) -> np.ndarray:
        """What was looked at, (target tokens, source tokens); nothing of another part.

        Of several parts it is put together each time it is asked for, and takes room as the square of their number.
        """
        if not self.parts:
            return self.weights
        looks = any(part.weights.shape[1] for part in self.parts)
        whole = np.zeros((len(self.target_tokens), len(self.source_tokens) if looks else 0), np.float32)
        row = column = 0
        for part in self.parts:
            rows, columns = part.weights.shape
            whole[row : row + rows, column : column + columns] = part.weights
            row, column = row + rows, column + columns
        return whole

    @property
    def in_parts(self) -> tuple["Translation", ...]:
        """Its parts, or itself where it has none."""
        return self.parts or (self,)

    @property
    def has_words(self) -> bool:
        """Whether the source has more than its end mark."""
        return len(self.source_tokens) > 1

    @property
    def notice(self) -> str:
        """What a person should know of it, if anything."""
        if not self.parts:
            return ""
        pieces = len(self.source_tokens) - len(self.parts)
        return f"{pieces:,} pieces are too many to be translated at once; it was cut into {len(self.parts)} parts"

    @property
    def hypotheses(self) -> tuple["Translation", ...]:
        """This one and its alternatives, best first, each alone."""
        return replace(self, alternatives=()), *self.alternatives

    def as_dict(self) -> dict[str, object]:
        """Everything in JSON's types; attention is a list of rows, one per target token.

        Of several ``parts`` each has its own tokens and attention, and the whole has none beside them.
        """
        fields: dict[str, object] = dict(vars(self))
        del fields["weights"], fields["parts"]
        if self.parts:
            for name in ("source_tokens", "target_tokens", "token_log_probs"):
                del fields[name]
            fields["parts"] = [part.as_dict() for part in self.parts]
        else:
            fields["attention"] = [[round(float(weight), 6) for weight in row] for row in self.weights]
        fields["alternatives"] = [one.as_dict() for one in self.alternatives]
        if not self.run_scores:
            del fields["run_scores"]
        return fields

    def pieces(self) -> View:
        """Attention between pieces.

        Raises:
            InputError: the model looks at nothing.
        """
        attention = self.attention
        if self.source_tokens and not attention.shape[1]:
            raise InputError("a model without attention (model/attention=none) has none to show; take another run")
        return View(self.source_tokens, self.target_tokens, attention, self.token_log_probs)

    def words(self) -> View:
        """Attention between words."""
        return merge_pieces(self.pieces())

    def draw(self, path: str | Path) -> str:
        """Draw a heatmap, ``.png``, ``.svg`` or ``.pdf``; return what a person should know of it, if anything.

        Of several parts the first is drawn.

        Raises:
            InputError: the model looks at nothing, so there is nothing to draw.
        """
        from s2s.report.heatmap import draw_heatmap

        if not self.parts:
            return draw_heatmap(self.pieces(), path)
        said = self.parts[0].draw(path)
        return f"{said}\nthe first of {len(self.parts)} parts".strip()


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
                weights=self.turned(hypothesis.attention[:, : len(source_tokens)]),
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
            weights=self.turned(attention),
        )

    def turned(self, rows: Any) -> Any:
        """Bring a target's rows from the order they are written in to that they are read in, or back; EOS stays last.

        The two differ for a run that writes backwards.
        """
        if not self.target.backwards:
            return rows
        order = [*range(len(rows) - 2, -1, -1), len(rows) - 1]
        return rows[order] if isinstance(rows, np.ndarray) else [rows[place] for place in order]
