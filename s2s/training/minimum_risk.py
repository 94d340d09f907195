"""Minimum risk training: the model learns from what its own translations cost."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2s.decoding import searched
from s2s.errors import InputError
from s2s.model.decoding_products import decoding_products
from s2s.model.ensemble import OneModel
from s2s.model.product import products_by
from s2s.model.seq2seq import Seq2Seq
from s2s.report.utility import UTILITIES
from s2s.search.sampling import Sampling
from s2s.text.batching import Batch, Sequences, collate
from s2s.text.tokenizer import Tokenizer

__all__ = ["Candidates", "MinimumRisk"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Targets of B sources, K each, the reference first.

    ``target`` holds them in N = B·K rows, a sentence's rows together; ``costs`` (B, K) says what each costs, 0 to 1;
    ``mask`` (B, K) is False where a sentence has no other and the reference stands in.
    """

    target: Sequences
    costs: Tensor
    mask: Tensor

    @classmethod
    def of(cls, sets: Sequence[Sequence[Sequence[int]]], costs: Callable[[Sequence[Sequence[int]]], Numbers]) -> Self:
        """Lay out the candidates of each sentence, the reference first.

        Args:
            sets: B sets of ids, EOS last.
            costs: of the candidates of a sentence, (K,).
        """
        most = max(map(len, sets))
        filled = [[*candidates, *[candidates[0]] * (most - len(candidates))] for candidates in sets]
        return cls(
            target=collate([ids for candidates in filled for ids in candidates]),
            costs=torch.from_numpy(np.stack([costs(candidates) for candidates in filled])).float(),
            mask=torch.arange(most) < torch.tensor([[len(candidates)] for candidates in sets]),
        )

    def to(self, device: torch.device) -> Self:
        """Copy to a device."""
        return replace(self, target=self.target.to(device), costs=self.costs.to(device), mask=self.mask.to(device))


@dataclass(frozen=True, kw_only=True)
class MinimumRisk:
    """What the model's own translations may be expected to cost (Shen et al. 2016, section 3).

    ``R = Σ_y Q(y) Δ(y)`` with ``Q(y) = P(y)^α / Σ_y' P(y')^α`` over the reference and what was drawn from the model,
    each once (algorithm 1). It is divided by α, so that α changes what counts and not how much all of it does: the
    gradient that goes to ``log P(y)`` is ``Q(y) (Δ(y) - R)``.

    Args:
        cost: Δ, 1 less the sentence's score: ``bleu``, smoothed, or ``chrf``.
        weight: share of the risk in what an update lowers; the rest is that of the cross-entropy.
        samples: draws for each sentence.
        temperature: of the draws; below 1 they are likelier and better, as a model trained with smoothing needs.
        sharpness: α; at 1 the model's probabilities count as they are, towards 0 all candidates count alike.

    Raises:
        InputError: a value out of range.
    """

    cost: str
    weight: float = 1.0
    samples: int = 8
    temperature: float = 1.0
    sharpness: float = 0.005

    def __post_init__(self) -> None:
        if self.cost not in UTILITIES:
            raise InputError(f"minimum_risk.cost={self.cost} is unknown; expected bleu or chrf")
        if not 0 < self.weight <= 1:
            raise InputError(
                f"minimum_risk.weight={self.weight} is no share; give a number above 0, at most 1; without "
                "minimum_risk= there is none"
            )
        if self.samples < 1:
            raise InputError(f"minimum_risk.samples={self.samples} draws nothing; give 1 or more")
        if not 0 < self.sharpness < math.inf:
            raise InputError(f"minimum_risk.sharpness={self.sharpness} is no exponent; give a number above 0, as 0.005")
        Sampling(temperature=self.temperature)  # which knows the range

    def candidates(self, model: Seq2Seq, batch: Batch, tokenizer: Tokenizer, language: str) -> Candidates:
        """Draw translations from the model as it is now, without dropout.

        What is drawn follows from torch's own generator. A draw ends where ``Sampling`` ends it, if not before.

        Args:
            model: in training.
            batch: sources and references.
            tokenizer: of the targets.
            language: their language.
        """
        sampling = Sampling(temperature=self.temperature, seed=int(torch.randint(2**31, ())))
        products = decoding_products(batch.source.ids.device, "float32")  # laid out anew for the weights as they are
        model.eval()
        with torch.inference_mode(), products_by(products):
            drawn = searched(OneModel(model), batch.source, sampling, rows=range(len(batch.rows)), n_best=self.samples)
        model.train()
        assert batch.target is not None
        references = zip(batch.target.ids.tolist(), batch.target.lengths.tolist(), strict=True)
        sets = [
            list(dict.fromkeys([tuple(ids[:length]), *(one.tokens for one in hypotheses)]))
            for (ids, length), hypotheses in zip(references, drawn, strict=True)
        ]

        def costs(candidates: Sequence[Sequence[int]]) -> Numbers:
            texts = [tokenizer.decode(ids) for ids in candidates]
            return 1 - UTILITIES[self.cost](texts, language=language)[:, 0] / 100

        return Candidates.of(sets, costs).to(batch.source.ids.device)

    def risk(self, log_probs: Tensor, candidates: Candidates) -> Tensor:
        """R / α of every sentence, given ``log P`` of its candidates: (B, K) -> (B,), differentiable."""
        weights = (self.sharpness * log_probs).masked_fill(~candidates.mask, -torch.inf).softmax(dim=1)
        return (weights * candidates.costs).sum(dim=1) / self.sharpness
