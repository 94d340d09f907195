"""Three ways to read whole sequences by one recurrent layer.

A loop over the positions serves every cell, gates worked out by hand a CPU, torch's kernels a GPU. In an exported graph
the loop is an operator, so that it is one for sequences of any length.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from s2s.model.gates import Gates, scan

__all__ = ["Kernel", "reversed_rows", "scan_by_gates", "scan_by_kernel", "scan_by_loop"]

State = tuple[Tensor, ...]
Kernel = Callable[..., State]
Update = Callable[[Tensor, State], State]


def reversed_rows(rows: Tensor, lengths: Tensor | None) -> Tensor:
    """Turn each sequence round and leave its padding where it is: (B, T, …), (B,) or None for T -> (B, T, …)."""
    if lengths is None:
        return rows.flip(1)
    positions = torch.arange(rows.shape[1])
    last = lengths[:, None].cpu() - 1
    order = torch.where(positions <= last, last - positions, positions)
    order += torch.arange(rows.shape[0])[:, None] * rows.shape[1]
    turned: Tensor = _Turned.apply(rows, order.flatten().to(rows.device))  # type: ignore[no-untyped-call]
    return turned


class _Turned(torch.autograd.Function):
    """Rows in another order, (B, T, …), which is the way back too: the gradient is turned round as they were."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return rows.flatten(0, 1).index_select(0, order).view(rows.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return gradient.flatten(0, 1).index_select(0, order).view(gradient.shape), None


def scan_by_loop(
    updates: Sequence[Update], inputs: Tensor, state: State, lengths: Tensor | None
) -> tuple[Tensor, State]:
    """Read whole sequences in one direction or both, one position per turn.

    Args:
        updates: the cell of each direction: (B, I), parts of (B, H) -> parts of (B, H), the output first.
        inputs: (B, T, I).
        state: before the first position, parts of (B, H), or (B, 2H) for two directions.
        lengths: real positions of each sequence, (B,); None for all T.

    Returns:
        outputs (B, T, H) or (B, T, 2H), zero on padding, and the state after the last position, shaped as before.
    """
    ways = []
    for direction, update in enumerate(updates):
        own = tuple(part.chunk(len(updates), dim=-1)[direction] for part in state)
        rows = reversed_rows(inputs, lengths) if direction else inputs
        loop = _exported_loop if torch.compiler.is_exporting() else _loop
        outputs, final = loop(update, rows, own, lengths)
        ways.append((reversed_rows(outputs, lengths) if direction else outputs, *final))
    outputs, *both = (torch.cat(parts, dim=-1) for parts in zip(*ways, strict=True))
    return outputs, tuple(both)


def _loop(update: Update, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
    """Read forward: (B, T, I), parts of (B, H) -> outputs (B, T, H), parts of (B, H)."""
    real, shortest = None, inputs.shape[1]
    if lengths is not None:
        shortest = int(lengths.min())
        positions = torch.arange(inputs.shape[1], device=inputs.device)
        real = (positions < lengths[:, None].to(inputs.device))[..., None]
        inputs = inputs.masked_fill(~real, 0)
    outputs = []
    for position, x in enumerate(inputs.unbind(dim=1)):
        after = update(x, state)
        if real is not None and position >= shortest:
            # A sequence that has ended keeps its last state.
            after = tuple(torch.where(real[:, position], *pair) for pair in zip(after, state, strict=True))
        state = after
        outputs.append(state[0])
    stacked = torch.stack(outputs, dim=1)
    return stacked if real is None else stacked.masked_fill(~real, 0), state


def _exported_loop(update: Update, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
    """As ``_loop``, by torch's operator for it, which ONNX has too: a prototype, so nothing but an export reads it."""
    from torch._higher_order_ops.scan import scan as loop_operator

    assert lengths is not None
    real = (torch.arange(inputs.shape[1]) < lengths[:, None])[..., None]

    def position(before: State, read: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
        x, is_real = read
        after = tuple(torch.where(is_real, *pair) for pair in zip(update(x, before), before, strict=True))
        return after, after[0].clone()

    first = tuple(part.clone() for part in state)  # the operator wants no two of its tensors in one place
    final, outputs = loop_operator(position, first, (inputs.transpose(0, 1), real.transpose(0, 1)))
    return outputs.transpose(0, 1).masked_fill(~real, 0), final


def scan_by_gates(
    gates: Gates,
    inputs: Tensor,
    state: State,
    weights: Sequence[Sequence[Tensor]],
    lengths: Tensor | None,
    mask: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Read whole sequences in one direction or both, each in one call.

    Args:
        gates: of the cell.
        inputs: (B, T, I).
        state: before the first position, parts of (B, H), or (B, 2H) for two directions.
        weights: four of each direction.
        lengths: real positions of each sequence, (B,), on the CPU; None for all T.
        mask: what h is multiplied by as the products read it, (B, H) or (B, 2H), or one of each position, (T, B, …).

    Returns:
        outputs (B, T, H) or (B, T, 2H), zero on padding, and the state after the last position, shaped as before.
    """
    real = None
    if lengths is not None:
        real = (torch.arange(inputs.shape[1])[:, None] < lengths)[..., None].to(inputs.device)
        inputs = inputs.masked_fill(~real.transpose(0, 1), 0)
    ways = []
    for direction, own_weights in enumerate(weights):
        own = tuple(part.chunk(len(weights), dim=-1)[direction].contiguous() for part in state)
        own_mask = None if mask is None else mask.chunk(len(weights), dim=-1)[direction].contiguous()
        rows = reversed_rows(inputs, lengths) if direction else inputs
        outputs, final = scan(gates, rows.transpose(0, 1), own, own_weights, real, own_mask)
        if real is not None:
            outputs = outputs.masked_fill(~real, 0)
        outputs = outputs.transpose(0, 1)
        ways.append((reversed_rows(outputs, lengths) if direction else outputs, *final))
    outputs, *both = (torch.cat(parts, dim=-1) for parts in zip(*ways, strict=True))
    return outputs, tuple(both)


def scan_by_kernel(
    kernel: Kernel, inputs: Tensor, state: State, weights: Sequence[Tensor], lengths: Tensor | None
) -> tuple[Tensor, State]:
    """Read whole sequences in one direction or both, in one call.

    Args:
        kernel: ``torch.lstm``, ``torch.gru``, ``torch.rnn_tanh`` or ``torch.rnn_relu``.
        inputs: (B, T, I).
        state: before the first position, parts of (B, H), or (B, 2H) for two directions.
        weights: four of each direction.
        lengths: real positions of each sequence, (B,), on the CPU; None for all T.

    Returns:
        outputs (B, T, H) or (B, T, 2H), zero on padding, and the state after the last position, shaped as before.
    """
    directions = len(weights) // 4
    first = [torch.stack(part.chunk(directions, dim=-1)) for part in state]
    # Kernels keep for the gradient only what `training` tells them to, though no dropout is theirs here.
    options = (True, 1, 0.0, torch.is_grad_enabled(), directions == 2)
    with _silent_about_scattered_weights(on_gpu=inputs.is_cuda):
        if lengths is None:
            outputs, *final = kernel(inputs, _state_for_kernel(first), weights, *options, True)
        else:
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            first = [part[:, packed.sorted_indices] for part in first]
            data, *final = kernel(packed.data, packed.batch_sizes, _state_for_kernel(first), weights, *options)
            outputs, _ = pad_packed_sequence(packed._replace(data=data), batch_first=True, total_length=inputs.shape[1])
            final = [part[:, packed.unsorted_indices] for part in final]
    return outputs, tuple(torch.cat(part.unbind(), dim=-1) for part in final)


def _state_for_kernel(parts: list[Tensor]) -> list[Tensor] | Tensor:
    """The state as a kernel takes it: a list of h and c, or h itself."""
    return parts if len(parts) > 1 else parts[0]


@contextmanager
def _silent_about_scattered_weights(*, on_gpu: bool) -> Iterator[None]:
    """Keep cuDNN from saying that the weights are not one piece of memory; it copies them into one at each call."""
    if not on_gpu:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        yield
