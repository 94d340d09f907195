"""Readouts: from a decoder's output to the scores of the vocabulary."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2s.model.dropout import Dropout
from s2s.model.product import Linear, linear
from s2s.text.tokenizer import PAD

__all__ = ["LinearReadout", "MaxoutReadout", "Readout", "TanhReadout", "Words"]


@dataclass(frozen=True)
class Words:
    """The words that each sentence may use: U of them, or fewer and padding.

    Args:
        ids: their numbers in the vocabulary, (B, U).
        weight: their rows of the readout, (B', U, R), of all sentences that there were at first, as it is large.
        bias: (B, U), -inf on padding.
        places: where in ``weight`` the sentences are, (B,).
    """

    ids: Tensor
    weight: Tensor
    bias: Tensor
    places: Tensor

    def select(self, sentences: Tensor) -> "Words":
        """The same for these sentences alone."""
        ids, bias, places = self.ids[sentences], self.bias[sentences], self.places[sentences]
        if 2 * len(places) > len(self.weight):
            return Words(ids, self.weight, bias, places)
        return Words(ids, self.weight[places], bias, torch.arange(len(places), device=places.device))

    def in_vocabulary(self, tokens: Tensor) -> Tensor:
        """Numbers among a sentence's words -> numbers in the vocabulary: (N,) with N = B·K -> (N,)."""
        return self.ids.gather(1, tokens.view(len(self.ids), -1)).flatten()

    def scores(self, features: Tensor) -> Tensor:
        """``W f + b``: (N, R) with N = B·K -> (N, U)."""
        queries = features.view(len(self.ids), -1, features.shape[1])
        if len(self.places) == len(self.weight):
            products = linear(queries, self.weight)
        else:
            spread = queries.new_zeros(len(self.weight), *queries.shape[1:]).index_copy_(0, self.places, queries)
            products = linear(spread, self.weight)[self.places]
        return (products + self.bias[:, None]).flatten(0, 1)


class Readout(nn.Module, ABC):
    """A layer of features, then one score per word: ``W f + b``.

    Args:
        output_size: width of the decoder's output, O.
        feature_size: width of the features before the vocabulary, R.
        vocabulary_size: V.
        dropout: probability to drop a feature.
        weight: W (V, R) where it is tied to an embedding (Press & Wolf 2017); None for weights of its own.
    """

    def __init__(
        self,
        output_size: int,
        *,
        feature_size: int,
        vocabulary_size: int,
        dropout: float,
        weight: nn.Parameter | None = None,
    ) -> None:
        super().__init__()
        if weight is None:
            weight = nn.Parameter(torch.empty(vocabulary_size, feature_size).normal_(0, feature_size**-0.5))
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.project = self.feature_layer(output_size, feature_size)
        self.dropout = Dropout(dropout)

    @staticmethod
    @abstractmethod
    def feature_layer(output_size: int, feature_size: int) -> nn.Module:
        """Make the layer between O and R."""

    def features(self, output: Tensor) -> Tensor:
        """What the vocabulary reads: (…, O) -> (…, R)."""
        features: Tensor = self.dropout(self.project(output))
        return features

    def words(self, ids: Tensor) -> Words:
        """Take some words of each sentence out of the vocabulary: ids (B, U), PAD where a sentence has fewer."""
        bias = self.bias[ids].masked_fill_(ids == PAD, -torch.inf)
        return Words(ids, self.weight.detach()[ids], bias, torch.arange(len(ids), device=ids.device))

    def log_probs(self, features: Tensor, words: Words | None = None) -> Tensor:
        """Log-probabilities of every word, float32 or wider: (…, R) -> (…, V).

        Of each sentence's words alone: (N, R) with N = B·K -> (N, U), as if there were no others.
        """
        scores = linear(features, self.weight, self.bias) if words is None else words.scores(features)
        return scores.to(torch.promote_types(scores.dtype, torch.float32)).log_softmax(dim=-1)


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

    def features(self, output: Tensor) -> Tensor:
        """(…, O) -> (…, R), the larger of each two neighbours."""
        features: Tensor = self.dropout(self.project(output).unflatten(-1, (-1, 2)).amax(dim=-1))
        return features


class TanhReadout(Readout):
    """Deep output with one tanh layer: ``t = tanh(W_s s + W_y y + W_c c)`` (Sennrich et al. 2017, section 3)."""

    @staticmethod
    def feature_layer(output_size: int, feature_size: int) -> nn.Module:
        """The map and its tanh."""
        return nn.Sequential(Linear(output_size, feature_size), nn.Tanh())
