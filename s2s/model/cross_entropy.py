"""The smoothed cross-entropy of features against a vocabulary, never holding all scores at once."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2s.model.product import factor, multiply, weight_gradient

__all__ = ["smoothed_cross_entropy"]

CHUNK_ROWS = 1024


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

    With e the exponentials and s their sum over a row, p is ``e / s``: the products are taken of e, and s divides what
    is narrow, the features and their gradient. ``ε / V`` is one number everywhere, so its share comes from the sums of
    W over words and of f over rows, and the sum of z over words is ``f · Σ_v W_v + Σ_v b_v``. That leaves three looks
    at the scores: the greatest of each row, the exponentials and their sum.
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
        of_features = torch.empty_like(features)
        of_weight, of_bias = torch.zeros_like(weight) if not len(features) else weight, torch.zeros_like(bias)
        total, matrix = matrix.sum(dim=0), factor(matrix)
        for start in range(0, len(features), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            chunk, answers = features[rows], targets[rows]
            scores = multiply(chunk, matrix, shift).to(dtype)
            right = scores.gather(1, answers[:, None])[:, 0]
            greatest = scores.amax(dim=1, keepdim=True)
            exponentials = scores.sub_(greatest).exp_()
            sums = exponentials.sum(dim=1)
            normaliser = greatest[:, 0] + sums.log()
            nll += (normaliser - right).sum()
            if smoothing:
                loss -= uniform * ((chunk @ total).sum() + len(chunk) * shift.sum())
            loss += (normaliser - (1 - smoothing) * right).sum()
            if needs_gradient:
                exponentials = exponentials.to(features.dtype)
                scale = sums.reciprocal().to(features.dtype)
                # Where e holds e_y - (1 - ε) s, the products below hold all but the share of ε / V.
                exponentials.scatter_add_(1, answers[:, None], ((smoothing - 1) * sums).to(features.dtype)[:, None])
                of_bias += exponentials.t() @ scale
                exponentials = exponentials.to(matrix.dtype)
                torch.mul(multiply(exponentials, matrix.t()), scale[:, None], out=of_features[rows])
                part = weight_gradient((chunk * scale[:, None]).to(matrix.dtype), exponentials)
                of_weight = of_weight.add_(part) if start else part
                del part
            del scores, exponentials  # else they stay until the next chunk has its own
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
