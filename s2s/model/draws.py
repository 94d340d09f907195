"""What dropout draws once for whole sequences; it is passed from position to position with their state.

All of it is empty outside of training.
"""

from dataclasses import dataclass, replace

from torch import Tensor

__all__ = ["Draws", "LayerDraws", "WordDraws"]


@dataclass(frozen=True)
class LayerDraws:
    """Of a stack of recurrent layers: masks (N, L, D), None for none, and weights.

    ``hidden`` thins h as the matrix products read it, ``upward`` what each layer passes up. ``weights`` are those of
    each layer and direction, of which the recurrent matrices are thinned; () for the stack's own.
    """

    hidden: Tensor | None = None
    upward: Tensor | None = None
    weights: tuple[tuple[Tensor, ...], ...] = ()

    def select(self, rows: Tensor) -> "LayerDraws":
        """The draws whose row n is row ``rows[n]`` of these; weights serve all rows."""
        return replace(self, hidden=_selected(self.hidden, rows), upward=_selected(self.upward, rows))


@dataclass(frozen=True)
class WordDraws:
    """Of embeddings: the masks of ``units`` (N, E) and of ``words`` (N, V); None for none."""

    units: Tensor | None = None
    words: Tensor | None = None

    def select(self, rows: Tensor) -> "WordDraws":
        """The draws whose row n is row ``rows[n]`` of these."""
        return WordDraws(_selected(self.units, rows), _selected(self.words, rows))


@dataclass(frozen=True)
class Draws:
    """Of a target: ``layers``, one for each recurrent stack of the decoder; ``words``; and masks, None for none.

    ``feed`` (N, F) thins what the next position reads beside its token, ``output`` (N, R) the features.
    """

    layers: tuple[LayerDraws, ...]
    words: WordDraws = WordDraws()
    feed: Tensor | None = None
    output: Tensor | None = None

    def select(self, rows: Tensor) -> "Draws":
        """The draws whose row n is row ``rows[n]`` of these."""
        layers = tuple(of_stack.select(rows) for of_stack in self.layers)
        return Draws(layers, self.words.select(rows), _selected(self.feed, rows), _selected(self.output, rows))


def _selected(mask: Tensor | None, rows: Tensor) -> Tensor | None:
    """The same of a mask."""
    return None if mask is None else mask.index_select(0, rows)
