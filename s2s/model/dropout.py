"""Dropout that draws its random numbers sixteen bits at a time, since on a CPU the drawing is what costs."""

import torch
from torch import Tensor, nn

__all__ = ["Dropout", "dropout"]

BITS = 16


def dropout(inputs: Tensor, probability: float, training: bool = True) -> Tensor:
    """Set units to zero and scale up the others, so that sums keep their size (Srivastava et al. 2014, section 4).

    Args:
        inputs: any shape.
        probability: to drop a unit; on a CPU it is rounded to a multiple of 2^-16.
        training: False leaves all as it is.

    Returns:
        a tensor of the same shape. The draws follow torch's own generator.
    """
    if not training:
        return inputs
    if inputs.device.type != "cpu" or not 0 < probability < 1:
        return nn.functional.dropout(inputs, probability)
    per_draw = 64 // BITS
    draws = torch.empty(-(-inputs.numel() // per_draw), dtype=torch.int64).random_(-(2**63), None)
    level = min(round(probability * 2**BITS), 2**BITS - 1)
    kept: Tensor = draws.view(torch.int16)[: inputs.numel()].view(inputs.shape) >= level - 2 ** (BITS - 1)
    return inputs * kept.to(inputs.dtype).mul_(1 / (1 - probability))


class Dropout(nn.Dropout):
    """A layer of it; see ``dropout``."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(…) -> (…)."""
        return dropout(inputs, self.p, self.training)
