"""Models as search and scoring ask for them: one, or several that write one target together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from s2s.model.attention import Memory
from s2s.model.decoder import DecoderState
from s2s.model.readout import Words
from s2s.model.seq2seq import Seq2Seq
from s2s.text.batching import Batch, Sequences

__all__ = ["Ensemble", "EnsembleState", "OneModel", "SearchState", "WordList", "Writer"]


@dataclass(frozen=True)
class WordList:
    """Some words of the vocabulary: ``ids`` (U,), and which of them each sentence may use, (B, U); None for all."""

    ids: Tensor
    allowed: Tensor | None


class Writer(Protocol):
    """What writes a target token by token, or is asked what it would have made of a given one."""

    def start(self, source: Sequences, listed: WordList | None = None) -> Any:
        """Read the source: the state before the first target token, one row per sentence."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Tensor, Any]:
        """Tokens (N,), state -> log-probabilities of the next token (N, V) or (N, U), attention (N, S), new state."""

    def force(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log-probabilities of every word at every position of given targets (B, T, V), and attention (B, T, S)."""


@dataclass(frozen=True)
class SearchState:
    """The decoder's rows beside the memory of their sentences and the words they may use, as search asks for it."""

    decoder: DecoderState
    memory: Memory
    words: Words | None

    def select(self, rows: Tensor) -> "SearchState":
        """Reorder or repeat rows within their sentences; the memory stays."""
        return replace(self, decoder=self.decoder.select(rows))

    def keep(self, sentences: Tensor) -> "SearchState":
        """Keep these sentences with all their rows."""
        per_sentence = self.decoder.feed.shape[0] // self.memory.mask.shape[0]
        rows = sentences[:, None] * per_sentence + torch.arange(per_sentence, device=sentences.device)
        words = None if self.words is None else self.words.select(sentences)
        return SearchState(self.decoder.select(rows.flatten()), self.memory.select(sentences), words)


@dataclass(frozen=True)
class OneModel:
    """A model that writes alone."""

    model: Seq2Seq

    def start(self, source: Sequences, listed: WordList | None = None) -> SearchState:
        """See ``Writer``."""
        words = None if listed is None else self.model.readout.words(listed.ids, listed.allowed)
        return SearchState(*self.model.start(source), words)

    def step(self, tokens: Tensor, state: SearchState) -> tuple[Tensor, Tensor, SearchState]:
        """See ``Writer``."""
        result = self.model.step(tokens, state.decoder, state.memory)
        log_probs = self.log_probs(result.output, state.words)
        return log_probs, result.attention, SearchState(result.state, state.memory, state.words)

    def log_probs(self, output: Tensor, words: Words | None) -> Tensor:
        """What the decoder's output (N, O) says of every word, or of these: (N, V) or (N, U)."""
        return self.model.readout.log_probs(self.model.readout.features(output), words)

    def force(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See ``Writer``."""
        features, attention = self.model(batch)
        return self.model.readout.log_probs(features), attention


@dataclass(frozen=True)
class EnsembleState:
    """The states of several models that have written the same tokens."""

    members: tuple[SearchState, ...]

    def select(self, rows: Tensor) -> "EnsembleState":
        """Each of them with these rows."""
        return EnsembleState(tuple(member.select(rows) for member in self.members))

    def keep(self, sentences: Tensor) -> "EnsembleState":
        """Each of them with these sentences."""
        return EnsembleState(tuple(member.keep(sentences) for member in self.members))


class Ensemble:
    """Models of any kind, with the same vocabularies, that predict every token together.

    ``p(y) = prod_m p_m(y) ** (1 / M) / Z``: the mean of their M log-probabilities, normalised over the vocabulary anew
    (the geometric mean, a logarithmic opinion pool; Heskes 1998). What one model finds impossible stays so. Ensembles
    of recurrent translators go back to Sutskever, Vinyals & Le (2014), section 3.6.
    Attention is the mean over the models that have one.

    Args:
        models: two or more; their order plays no part.
    """

    def __init__(self, models: Sequence[Seq2Seq]) -> None:
        self.members = tuple(OneModel(model) for model in models)

    def start(self, source: Sequences, listed: WordList | None = None) -> EnsembleState:
        """See ``Writer``."""
        return EnsembleState(tuple(member.start(source, listed) for member in self.members))

    def step(self, tokens: Tensor, state: EnsembleState) -> tuple[Tensor, Tensor, EnsembleState]:
        """See ``Writer``."""
        steps = [member.step(tokens, own) for member, own in zip(self.members, state.members, strict=True)]
        log_probs, attention, states = zip(*steps, strict=True)
        return _mean_log_probs(log_probs), _mean_attention(attention), EnsembleState(states)

    def force(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See ``Writer``."""
        log_probs, attention = zip(*(member.force(batch) for member in self.members), strict=True)
        return _mean_log_probs(log_probs), _mean_attention(attention)


def _mean_log_probs(log_probs: Sequence[Tensor]) -> Tensor:
    """The normalised mean of distributions: M of (…, V) -> (…, V)."""
    return torch.stack(tuple(log_probs)).mean(dim=0).log_softmax(dim=-1)


def _mean_attention(attention: Sequence[Tensor]) -> Tensor:
    """The mean of the attention there is: M of (…, S) or (…, 0) -> (…, S), or (…, 0) where no model has any."""
    looking = [one for one in attention if one.shape[-1]]
    return torch.stack(looking).mean(dim=0) if looking else attention[0]
