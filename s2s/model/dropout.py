"""Dropout that draws its random numbers sixteen bits at a time, since on a CPU the drawing is what costs.

Ordinary dropout draws anew at each position. Variational dropout draws once for a sequence and drops the same units at
all of its positions (Gal & Ghahramani 2016, section 4.1): what was drawn when the sequence began goes from position to
position with its state.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from s2s.errors import InputError

__all__ = ["NO_DROPOUT", "Dropout", "Dropouts", "check_probabilities", "dropout"]

BITS = 16


def check_probabilities(place: str, **probabilities: float) -> None:
    """Raise an InputError for a dropout that is none, named as an option of this place in the configuration."""
    for name, probability in probabilities.items():
        if not 0 <= probability < 1:
            raise InputError(f"{place}.{name}={probability} is no probability below 1; give a number from 0 to 0.9")


@dataclass(frozen=True)
class Dropouts:
    """How likely a unit drops out in each place of a model, and a word of a source or a target.

    Args:
        embedding: of what encoder and decoder read of a word.
        layer: of what a recurrent layer passes up to the next.
        recurrent: of h, as the matrix products of the next position read it.
        context: of the encoder states, as attention reads them (Caglayan et al. 2017).
        output: of the features before the vocabulary.
        source_word, target_word: of the words that are read, whole.
        variational: whether the same units and words drop out at all positions of a sequence, in every place, instead
            of others at each position.
    """

    embedding: float = 0.0
    layer: float = 0.0
    recurrent: float = 0.0
    context: float = 0.0
    output: float = 0.0
    source_word: float = 0.0
    target_word: float = 0.0
    variational: bool = False

    def __post_init__(self) -> None:
        """Raise an InputError for a dropout that is none."""
        places = {f"{place}_dropout": value for place, value in vars(self).items() if place != "variational"}
        check_probabilities("model", **places)

    @classmethod
    def where_unset(
        cls,
        dropout: float,
        *,
        embedding: float | None,
        layer: float | None,
        output: float | None,
        **others: Any,
    ) -> "Dropouts":
        """Take one probability in these places where they have none of their own, and ``others`` as they are."""
        check_probabilities("model", dropout=dropout)
        embedding, layer, output = (dropout if own is None else own for own in (embedding, layer, output))
        return cls(embedding=embedding, layer=layer, output=output, **others)


NO_DROPOUT = Dropouts()


def dropout(inputs: Tensor, probability: float, training: bool = True, mask: Tensor | None = None) -> Tensor:
    """Set units to zero and scale up the others, so that sums keep their size (Srivastava et al. 2014, section 4).

    Args:
        inputs: any shape.
        probability: to drop a unit; on a CPU it is rounded to a multiple of 2^-16.
        training: False leaves all as it is.
        mask: what was drawn for the whole sequence, (N, D), for inputs (N, D) or (N, T, D); it goes before the others.

    Returns:
        a tensor of the same shape. The draws follow torch's own generator.
    """
    if mask is not None:
        return inputs * (mask if inputs.dim() == mask.dim() else mask[:, None])
    if not training or not probability:
        return inputs
    if inputs.device.type != "cpu" or not 0 < probability < 1:
        return nn.functional.dropout(inputs, probability)
    per_draw = 64 // BITS
    draws = torch.empty(-(-inputs.numel() // per_draw), dtype=torch.int64).random_(-(2**63), None)
    level = min(round(probability * 2**BITS), 2**BITS - 1)
    kept: Tensor = draws.view(torch.int16)[: inputs.numel()].view(inputs.shape) >= level - 2 ** (BITS - 1)
    return inputs * kept.to(inputs.dtype).mul_(1 / (1 - probability))


class Dropout(nn.Dropout):
    """A layer of it; see ``dropout``.

    Args:
        probability: to drop a unit.
        variational: drop the same units at all positions of a sequence.
    """

    def __init__(self, probability: float, *, variational: bool = False) -> None:
        super().__init__(probability)
        self.variational = variational

    def draw(self, rows: Tensor, width: int) -> Tensor | None:
        """Draw the mask of whole sequences, (N, D), given any tensor (N, …) of theirs and D; None where none is due."""
        if not (self.variational and self.training and self.p):
            return None
        return dropout(rows.new_ones(len(rows), width), self.p)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """(…) -> (…), by the mask of whole sequences where ``draw`` gave one."""
        return dropout(inputs, self.p, self.training, mask)
