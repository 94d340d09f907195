"""What training lowers: smoothed cross-entropy, never holding all scores at once, and repeated attention."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["coverage_loss", "smoothed_cross_entropy"]

CHUNK_ROWS = 512


def coverage_loss(attention: Tensor, mask: Tensor) -> Tensor:
    """Sum the attention that goes where attention has gone before: ``Σ_t Σ_s min(a_ts, c_ts)``, ``c_t = Σ_{u<t} a_u``.

    See, Liu & Manning (2017), equations 10, 12 and 13.

    Args:
        attention: weights of the source at every target position, (B, T, S).
        mask: real target positions, (B, T).

    Returns:
        the sum over real target positions, differentiable.
    """
    attention = attention.to(torch.promote_types(attention.dtype, torch.float32))
    coverage = nn.functional.pad(attention[:, :-1].cumsum(dim=1), (0, 0, 1, 0))
    return torch.minimum(attention, coverage).sum(dim=2)[mask].sum()


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
    """The gradient of the scores z is ``p - (1 - ε) onehot(y) - ε / V``; it is multiplied out chunk by chunk."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        needs_gradient = any(ctx.needs_input_grad[:3])
        vocabulary = weight.shape[0]
        dtype = torch.promote_types(features.dtype, torch.float32)
        loss, nll = features.new_zeros((), dtype=dtype), features.new_zeros((), dtype=dtype)
        gradients = [torch.empty_like(features), torch.zeros_like(weight), torch.zeros_like(bias)]
        matrix = weight.to(features.dtype)
        for start in range(0, len(features), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            chunk, answers = features[rows], targets[rows, None]
            scores = torch.addmm(bias.to(features.dtype), chunk, matrix.t()).to(dtype)
            normaliser = scores.logsumexp(dim=1, keepdim=True)
            chunk_nll = (normaliser - scores.gather(1, answers)).sum()
            nll += chunk_nll
            loss += (1 - smoothing) * chunk_nll
            if smoothing:
                loss += smoothing * (normaliser.sum() - scores.sum() / vocabulary)
            if needs_gradient:
                scores.sub_(normaliser).exp_().sub_(smoothing / vocabulary)
                scores.scatter_add_(1, answers, scores.new_full(answers.shape, smoothing - 1))
                gradients[2] += scores.sum(dim=0)
                scores = scores.to(features.dtype)
                torch.mm(scores, matrix, out=gradients[0][rows])
                gradients[1] += scores.t() @ chunk
        ctx.save_for_backward(*(gradients if needs_gradient else ()))
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * saved for saved in ctx.saved_tensors), None, None)
