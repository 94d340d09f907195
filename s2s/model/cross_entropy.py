"""The smoothed cross-entropy of features against a vocabulary, never holding all scores at once."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2s.model.product import factor, multiply, plain, weight_gradient

__all__ = ["smoothed_cross_entropy"]

CHUNK_ROWS = 512


def smoothed_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Score features against the vocabulary and sum the loss over target tokens.

    With ``p = softmax(W f + b)`` and smoothing ε the loss of a row is ``-(1 - ε) log p_y - ε / V Σ_v log p_v``
    (Szegedy et al. 2016, section 7). Rows go through in chunks and the gradient is taken on the way, so memory is
    that of one chunk whatever the vocabulary times the length.

    Args:
        features: what the vocabulary reads, (N, R), padding taken out.
        weight, bias: the readout, (V, R) and (V,).
        targets: right answers, (N,).
        smoothing: ε, the share of probability given evenly to all words.

    Returns:
        the smoothed loss in sum, differentiable, and the unsmoothed negative log-likelihood in sum, in nats,
        without gradient: what perplexity comes from.
    """
    loss, negative_log_likelihood = _SmoothedCrossEntropy.apply(features, weight, bias, targets, smoothing)  # type: ignore[no-untyped-call]
    return loss, negative_log_likelihood


class _SmoothedCrossEntropy(torch.autograd.Function):
    """The gradient of the scores z is ``p - (1 - ε) onehot(y) - ε / V``; it is multiplied out chunk by chunk.

    ``ε / V`` is one number everywhere, so its share comes from the sums of W over words and of f over rows, and the sum
    of z over words is ``f · Σ_v W_v + Σ_v b_v``. The logarithm of what softmax divides by is read off the likeliest
    word, ``z - log p``. In bfloat16 scores and probabilities stay in it, so that each is looked at and written once.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad[:3])
        uniform = smoothing / weight.shape[0]
        dtype = torch.promote_types(features.dtype, torch.float32)
        loss, nll = features.new_zeros((), dtype=dtype), features.new_zeros((), dtype=dtype)
        matrix, shift = weight.to(features.dtype), bias.to(features.dtype)
        total, matrix = matrix.sum(dim=0), factor(matrix)
        of_features, of_bias = torch.empty_like(features), torch.zeros_like(bias)
        of_weight = weight if len(features) else torch.zeros_like(weight)
        places = torch.arange(CHUNK_ROWS, device=features.device)
        for start in range(0, len(features), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            chunk, answers = features[rows], targets[rows]
            read = chunk.to(matrix.dtype)
            if matrix.dtype == torch.bfloat16:  # which multiply would widen
                z = plain(read, matrix, shift.to(matrix.dtype))
            else:
                z = multiply(read, matrix, shift)
            p = torch.softmax(z, dim=1, dtype=z.dtype)  # else autocast would widen it
            right = z[places[: len(z)], answers].to(dtype)
            surprisal = z.amax(dim=1).to(dtype) - right - p.amax(dim=1).to(dtype).log()
            nll += surprisal.sum()
            loss += (surprisal + smoothing * right).sum()
            if smoothing:
                loss -= uniform * ((chunk @ total).sum() + len(chunk) * shift.sum())
            if needs_gradient:
                p[places[: len(p)], answers] -= 1 - smoothing  # scatter_add_ would copy all of p, there and back
                of_bias += (p.new_ones(1, len(p)) @ p)[0]
                of_features[rows] = multiply(p, matrix.t())
                part = weight_gradient(read, p)
                of_weight = of_weight.add_(part) if start else part
        if needs_gradient and smoothing:
            of_features -= uniform * total
            of_weight -= uniform * features.sum(dim=0)
            of_bias -= uniform * len(features)
        ctx.save_for_backward(*((of_features, of_weight, of_bias) if needs_gradient else ()))
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        # The gradient may hold a scale that float16 does not reach.
        return (*(gradient * saved.to(gradient.dtype) for saved in ctx.saved_tensors), None, None)
