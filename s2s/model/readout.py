"""Readouts: from a decoder's output to the scores of the vocabulary."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.cross_entropy import smoothed_cross_entropy
from s2s.model.dropout import Dropout
from s2s.model.embedding import normal_table
from s2s.model.product import Linear, linear

__all__ = ["AdaptiveReadout", "LinearReadout", "MaxoutReadout", "Readout", "TanhReadout", "Words"]


@dataclass(frozen=True)
class Words:
    """Some words of the vocabulary, U of them: their ``weight`` (U, R) and ``bias`` (U,).

    ``barred`` (B, U) is added to their scores: -inf for those that a sentence may not use, 0 for others; None for 0.
    """

    weight: Tensor
    bias: Tensor
    barred: Tensor | None

    def select(self, sentences: Tensor) -> "Words":
        """The same for these sentences alone."""
        return self if self.barred is None else replace(self, barred=self.barred.index_select(0, sentences))


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
            weight = nn.Parameter(normal_table(vocabulary_size, feature_size))
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
        """Take some words out of the vocabulary: ids (U,), those that a sentence may use (B, U), None for all."""
        weight, bias, barred = self.weight.index_select(0, ids), self.bias[ids], None
        if allowed is not None:
            barred = torch.zeros_like(allowed, dtype=bias.dtype).masked_fill_(~allowed, -torch.inf)
        return Words(nn.Parameter(weight, requires_grad=False), bias, barred)

    def log_probs(self, features: Tensor, words: Words | None = None) -> Tensor:
        """Log-probabilities of every word, float32 or wider: (…, R) -> (…, V).

        Of some words alone: (N, R) with N = B·K -> (N, U), as if there were no others.
        """
        scores = linear(features, self.weight if words is None else words.weight, (words or self).bias)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if words is not None and words.barred is not None:
            scores.view(len(words.barred), -1, scores.shape[-1]).add_(words.barred[:, None])
        return scores.log_softmax(dim=-1)

    def cross_entropy(self, features: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Smoothed loss and negative log-likelihood of tokens (N,), given features (N, R): both in sum, in nats."""
        return smoothed_cross_entropy(features, self.weight, self.bias, targets, smoothing=smoothing)


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


class AdaptiveReadout(Readout):
    """The frequent words in one softmax, the others in clusters with narrower weights (Grave et al. 2017, section 4).

    ``p(w) = p(w | head)``, and of a word in cluster c ``p(w) = p(c | head) p(w | c)``. Words stand by number, which is
    by frequency where the vocabulary is of words or drawn by unigrams. The features are those of ``LinearReadout``.

    Args:
        output_size, feature_size, vocabulary_size, dropout: as in ``Readout``; ``weight`` must be None.
        cutoffs: where each cluster begins, as a share of the vocabulary, rising.
        reduction: every cluster reads features as much narrower than the one before it.

    Raises:
        InputError: a tied weight, or cutoffs that leave a cluster without words.
    """

    def __init__(
        self,
        output_size: int,
        *,
        feature_size: int,
        vocabulary_size: int,
        dropout: Dropout,
        cutoffs: Sequence[float],
        reduction: float,
        weight: nn.Parameter | None = None,
    ) -> None:
        if weight is not None:
            raise InputError("clusters have weights of their own, which cannot be tied; set model.tie_readout=false")
        bounds = [*(round(share * vocabulary_size) for share in cutoffs), vocabulary_size]
        if not cutoffs or bounds[0] < 1 or any(first >= second for first, second in pairwise(bounds)):
            raise InputError(
                f"model.readout.cutoffs={list(cutoffs)} cut {vocabulary_size} words at {bounds[:-1]}; give rising "
                "shares between 0 and 1 that leave words in each cluster"
            )
        if not reduction >= 1:
            raise InputError(f"model.readout.reduction={reduction} would widen the clusters; give 1 or more")
        super().__init__(
            output_size, feature_size=feature_size, vocabulary_size=bounds[0] + len(cutoffs), dropout=dropout
        )
        self.bounds = bounds
        widths = [max(1, round(feature_size / reduction ** (number + 1))) for number in range(len(cutoffs))]
        self.narrow = nn.ModuleList(Linear(feature_size, width, bias=False) for width in widths)
        self.clusters = nn.ModuleList(
            Linear(width, last - first) for width, (first, last) in zip(widths, pairwise(bounds), strict=True)
        )

    @staticmethod
    def feature_layer(output_size: int, feature_size: int) -> nn.Module:
        """As in ``LinearReadout``."""
        return LinearReadout.feature_layer(output_size, feature_size)

    def words(self, ids: Tensor, allowed: Tensor | None) -> Words:
        """Refuse, as the clusters have no weights in common."""
        raise InputError("a readout in clusters scores all words at once; leave shortlist= out")

    def log_probs(self, features: Tensor, words: Words | None = None) -> Tensor:
        """Log-probabilities of every word: (…, R) -> (…, V)."""
        head, first = super().log_probs(features), self.bounds[0]
        parts = [head[..., :first]]
        for number, (narrow, cluster) in enumerate(zip(self.narrow, self.clusters, strict=True)):
            scores = cluster(narrow(features)).to(head.dtype)
            parts.append(scores.log_softmax(dim=-1) + head[..., first + number, None])
        return torch.cat(parts, dim=-1)

    def cross_entropy(self, features: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """As in ``Readout``; a cluster is asked for its own words alone, and nothing is smoothed.

        Raises:
            InputError: smoothing, which would take a look at every word.
        """
        if smoothing:
            raise InputError(
                f"a readout in clusters has no label smoothing, got {smoothing}; set training.label_smoothing=0"
            )
        first = self.bounds[0]
        of_head = targets.clone()
        for number, (low, high) in enumerate(pairwise(self.bounds)):
            of_head.masked_fill_((targets >= low) & (targets < high), first + number)
        loss, nll = super().cross_entropy(features, of_head)
        for number, (narrow, cluster) in enumerate(zip(self.narrow, self.clusters, strict=True)):
            rows = (of_head == first + number).nonzero()[:, 0]
            inside = targets[rows] - self.bounds[number]
            weight, bias = cluster.parameters()
            more, further = smoothed_cross_entropy(narrow(features[rows]), weight, bias, inside)
            loss, nll = loss + more, nll + further
        return loss, nll
