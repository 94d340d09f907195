"""Small models, exact in float64, whose every output depends on the whole history and on the sentence."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from s2s.search import Hypothesis

BOS, EOS = 0, 1


@dataclass(frozen=True)
class ToyState:
    """``hidden`` (N, H) by row; ``memory`` (B, S, H) and ``lengths`` (B,) by sentence."""

    hidden: Tensor
    memory: Tensor
    lengths: Tensor

    def select(self, rows: Tensor) -> "ToyState":
        return replace(self, hidden=self.hidden[rows])

    def keep(self, sentences: Tensor) -> "ToyState":
        hidden = self.hidden.view(len(self.lengths), -1, self.hidden.shape[1])[sentences].flatten(0, 1)
        return type(self)(hidden, self.memory[sentences], self.lengths[sentences])


class UnorderedState(ToyState):
    """The mistake to catch: beams grow and shrink, but a row's state does not follow its hypothesis."""

    def select(self, rows: Tensor) -> "UnorderedState":
        if len(rows) == len(self.hidden):
            return self
        return replace(self, hidden=self.hidden[rows])


class ToyModel:
    """A recurrent network with random weights; ``calls`` counts the rows of every step it has made."""

    def __init__(
        self, vocabulary: int = 4, width: int = 6, seed: int = 0, spread: float = 3.0, eos_bias: float = 0.0
    ) -> None:
        generator = torch.Generator().manual_seed(seed)

        def weights(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.vocabulary, self.width, self.spread, self.eos_bias = vocabulary, width, spread, eos_bias
        self.embedding, self.recurrent = 2 * weights(vocabulary, width), 1.5 * weights(width, width)
        self.output, self.source = weights(width, vocabulary), weights(64, 16, width)
        self.calls: list[int] = []

    def start(self, sentences: Sequence[int], lengths: Sequence[int], *, kind: type[ToyState] = ToyState) -> ToyState:
        """The state of these sentences, of whose sources the first ``lengths`` positions are real."""
        longest = max(lengths)
        memory = torch.stack([self.source[s % 64, :longest] + 0.01 * (s // 64) for s in sentences])
        real = torch.arange(longest) < torch.tensor(lengths)[:, None]
        memory = torch.where(real[:, :, None], memory, 1e3)
        hidden = torch.where(real[:, :, None], memory, 0.0).sum(1).tanh()
        return kind(hidden, memory, torch.tensor(lengths))

    def __call__(self, tokens: Tensor, state: ToyState) -> tuple[Tensor, Tensor, ToyState]:
        self.calls.append(len(tokens))
        sentences, longest = len(state.lengths), state.memory.shape[1]
        hidden = (state.hidden @ self.recurrent + self.embedding[tokens]).tanh()
        energy = (hidden.view(sentences, -1, 1, self.width) * state.memory[:, None]).sum(-1)
        padding = torch.arange(longest) >= state.lengths[:, None, None]
        attention = energy.masked_fill(padding, -torch.inf).softmax(-1)
        context = (attention[..., None] * state.memory[:, None]).sum(2).flatten(0, 1)
        scores = self.spread * ((hidden + 0.5 * context) @ self.output)
        scores[:, EOS] += self.eos_bias
        return scores.log_softmax(-1), attention.flatten(0, 1), replace(state, hidden=hidden)


def forced(model: ToyModel, sentence: int, length: int, tokens: Sequence[int]) -> tuple[list[float], Tensor]:
    """The model's log-probabilities of given tokens and its attention (T, S), one sentence and one row at a time."""
    state, previous, log_probs, attention = model.start([sentence], [length]), BOS, [], []
    for token in tokens:
        scores, seen, state = model(torch.tensor([previous]), state)
        log_probs.append(float(scores[0, token]))
        attention.append(seen[0])
        previous = token
    return log_probs, torch.stack(attention)


def every_target(vocabulary: int, longest: int, shortest: int = 1) -> Iterator[tuple[int, ...]]:
    """All targets of ``shortest`` to ``longest`` tokens that end with their only EOS and hold no BOS."""
    words = [token for token in range(vocabulary) if token not in (BOS, EOS)]
    for length in range(shortest, longest + 1):
        for beginning in itertools.product(words, repeat=length - 1):
            yield (*beginning, EOS)


def score_by_hand(log_probs: Sequence[float], attention: Tensor, alpha: float, beta: float) -> float:
    """Wu et al. (2016), eq. 14, in plain Python."""
    penalty = (5 + len(log_probs)) ** alpha / (5 + 1) ** alpha
    coverage = sum(math.log(min(max(float(column.sum()), 1e-12), 1.0)) for column in attention.T)
    return float(sum(log_probs) / penalty + beta * coverage)


def tokens_of(results: list[list[Hypothesis]]) -> list[list[tuple[int, ...]]]:
    return [[hypothesis.tokens for hypothesis in hypotheses] for hypotheses in results]
