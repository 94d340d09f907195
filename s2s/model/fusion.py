"""A translator and a language model that write one target together."""

from dataclasses import replace

import torch
from torch import Tensor

from s2s.model.encoder import Encoded
from s2s.model.ensemble import EnsembleState, OneModel, SearchState, WordList, Writer
from s2s.text.batching import Batch, Sequences

__all__ = ["Fused", "InternalLanguageModel"]


class InternalLanguageModel(OneModel):
    """What a translator expects of a target before it has seen anything of the source.

    Its decoder begins with, and looks at, one encoder state of zeros (Meng et al. 2021, section 3.2; Herold et al.
    2022, section 4).
    """

    def start(self, source: Sequences, listed: WordList | None = None) -> SearchState:
        """See ``Writer``; of the source the number of sentences counts alone."""
        words = None if listed is None else self.model.readout.words(listed.ids, listed.allowed)
        return SearchState(*self.model.begin(self._nothing(source)), words)

    def force(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See ``Writer``."""
        assert batch.target is not None
        features, attention = self.model.write(batch.target, *self.model.begin(self._nothing(batch.source)))
        return self.model.readout.log_probs(features), attention

    def _nothing(self, source: Sequences) -> Encoded:
        """One state of zeros for every sentence, and zeros for the last."""
        first = replace(source, ids=source.ids[:, :1], lengths=torch.ones_like(source.lengths))
        encoded = self.model.encoder(first)
        final = tuple(torch.zeros_like(part) for part in encoded.final)
        return Encoded(torch.zeros_like(encoded.values), encoded.mask, final)


class Fused:
    """Shallow fusion: ``log p(y_t | x) + a log q(y_t) - b log r(y_t)`` (Gulcehre et al. 2015, section 4.1).

    q is a language model, and r the translator's own, which is taken away so that q takes its place (Variani et al.
    2020; Meng et al. 2021). What is left then may be more than 1 in sum, so with b above 0 it is normalised
    over the vocabulary anew. Attention is the translator's.

    Args:
        translator: p.
        language_model: q, of the same vocabulary.
        weight: a.
        internal: r; None for b = 0.
        internal_weight: b.
    """

    def __init__(
        self,
        translator: Writer,
        language_model: Writer,
        *,
        weight: float,
        internal: Writer | None = None,
        internal_weight: float = 0.0,
    ) -> None:
        self.members = (translator, language_model, *([] if internal is None else [internal]))
        self.weights = (1.0, weight, *([] if internal is None else [-internal_weight]))

    def start(self, source: Sequences, listed: WordList | None = None) -> EnsembleState:
        """See ``Writer``."""
        return EnsembleState(tuple(member.start(source, listed) for member in self.members))

    def step(self, tokens: Tensor, state: EnsembleState) -> tuple[Tensor, Tensor, EnsembleState]:
        """See ``Writer``."""
        steps = [member.step(tokens, own) for member, own in zip(self.members, state.members, strict=True)]
        log_probs, attention, states = zip(*steps, strict=True)
        return self._fused(log_probs), attention[0], EnsembleState(states)

    def force(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See ``Writer``."""
        log_probs, attention = zip(*(member.force(batch) for member in self.members), strict=True)
        return self._fused(log_probs), attention[0]

    def _fused(self, log_probs: tuple[Tensor, ...]) -> Tensor:
        """The weighted sum of what each member says of every word."""
        first, *others = log_probs
        fused = first
        for weight, one in zip(self.weights[1:], others, strict=True):
            fused = fused + weight * one
        if len(others) == 1:
            return fused
        # A word that is not allowed is -inf to all, which the subtraction makes NaN.
        return fused.masked_fill(first == -torch.inf, -torch.inf).log_softmax(dim=-1)
