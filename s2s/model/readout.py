"""Readouts: from a decoder's output to the scores of the vocabulary."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from s2s.model.dropout import Dropout
from s2s.model.product import Linear, linear

__all__ = ["LinearReadout", "MaxoutReadout", "Readout", "TanhReadout", "Words"]


@dataclass(frozen=True)
class Words:
    """Some words of the vocabulary, U of them: their ``weight`` (U, R) and ``bias`` (U,).

    ``allowed`` (B, U) says which of them each sentence may use, None that all may.
    """

    weight: Tensor
    bias: Tensor
    allowed: Tensor | None

    def select(self, sentences: Tensor) -> "Words":
        """The same for these sentences alone."""
        return self if self.allowed is None else replace(self, allowed=self.allowed[sentences])


class Readout(nn.Module, ABC):
    """A layer of features, then one score per word: ``W f + b``.

    Args:
        output_size: width of the decoder's output, O.
        feature_size: width of the features before the vocabulary, R.
        vocabulary_size: V.
        dropout: of the features.
        weight: W (V, R) where it is tied to an embedding (Press & Wolf 2017); None for weights of its own.
    """

    def __init__(
        self,
        output_size: int,
        *,
        feature_size: int,
        vocabulary_size: int,
        dropout: Dropout,
        weight: nn.Parameter | None = None,
    ) -> None:
        super().__init__()
        if weight is None:
            weight = nn.Parameter(torch.empty(vocabulary_size, feature_size).normal_(0, feature_size**-0.5))
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.project = self.feature_layer(output_size, feature_size)
        self.dropout = dropout

    @staticmethod
    @abstractmethod
    def feature_layer(output_size: int, feature_size: int) -> nn.Module:
        """Make the layer between O and R."""

    def features(self, output: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the vocabulary reads: (…, O) -> (…, R), by the dropout mask of whole targets where there is one."""
        features: Tensor = self.dropout(self.project(output), mask)
        return features

    def words(self, ids: Tensor, allowed: Tensor | None) -> Words:
        """Take some words out of the vocabulary: ids (U,), allowed (B, U)."""
        return Words(nn.Parameter(self.weight[ids], requires_grad=False), self.bias[ids], allowed)

    def log_probs(self, features: Tensor, words: Words | None = None) -> Tensor:
        """Log-probabilities of every word, float32 or wider: (…, R) -> (…, V).

        Of some words alone: (N, R) with N = B·K -> (N, U), as if there were no others.
        """
        scores = linear(features, self.weight if words is None else words.weight, (words or self).bias)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if words is not None and words.allowed is not None:
            scores.view(len(words.allowed), -1, scores.shape[-1]).masked_fill_(~words.allowed[:, None], -torch.inf)
        return scores.log_softmax(dim=-1)


class LinearReadout(Readout):
    """The output itself (Luong, Pham & Manning 2015, eq. 6), or a linear map of it where widths differ."""

    @staticmethod
    def feature_layer(output_size: int, feature_size: int) -> nn.Module:
        """Nothing, or ``W o``."""
        return nn.Identity() if output_size == feature_size else Linear(output_size, feature_size, bias=False)


class MaxoutReadout(Readout):
    """Deep output with maxout units (Bahdanau, Cho & Bengio 2015, appendix A.2.2; Goodfellow et al. 2013).

    ``t~ = U s + V y + C c``, ``t_j = max(t~_{2j-1}, t~_{2j})``. The appendix writes ``s_{i-1}`` here; as in its
    equation 4 the state is ``s_i``.
    """

    @staticmethod
    def feature_layer(output_size: int, feature_size: int) -> nn.Module:
        """``t~``, twice as wide as the features."""
        return Linear(output_size, 2 * feature_size)

    def features(self, output: Tensor, mask: Tensor | None = None) -> Tensor:
        """(…, O) -> (…, R), the larger of each two neighbours."""
        features: Tensor = self.dropout(self.project(output).unflatten(-1, (-1, 2)).amax(dim=-1), mask)
        return features


class TanhReadout(Readout):
    """Deep output with one tanh layer: ``t = tanh(W_s s + W_y y + W_c c)`` (Sennrich et al. 2017, section 3)."""

    @staticmethod
    def feature_layer(output_size: int, feature_size: int) -> nn.Module:
        """The map and its tanh."""
        return nn.Sequential(Linear(output_size, feature_size), nn.Tanh())
