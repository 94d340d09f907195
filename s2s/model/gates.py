"""Gates of the LSTM, the GRU and the plain RNN, all units of a position at once, with gradients worked out by hand.

``cells.py`` has the same equations to be read, and autograd for their gradients. Here each cell is two functions, one
for a position and one for its gradient, and two ways lead through them: ``update`` by one position, ``scan`` by all.
A unit's value y tells its own derivative, ``y (1 - y)`` after a sigmoid, ``1 - y²`` after a tanh, so little is kept but
values.

Shapes: N rows, T positions, H units, G gates' sums, a multiple of H.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from s2s.model.product import factor, linear, multiply, weight_gradient

__all__ = ["GRU_GATES", "LSTM_GATES", "RELU_GATE", "TANH_GATE", "Gates", "gates_serve", "scan", "update"]

State = tuple[Tensor, ...]
Kept = tuple[Tensor, ...]

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward
_relu_backward = torch.ops.aten.threshold_backward


@dataclass(frozen=True)
class Gates:
    """A cell between its matrix products.

    Args:
        position: sums ``W x + b`` and ``U h + b'``, (N, G), and the state, parts of (N, H) -> the new state, and what
            the gradient needs.
        gradient: what was kept, the gradients of the new state, and where to write those of ``W x + b`` and
            ``U h + b'``, (N, G) -> those of the state, parts of (N, H), None where h counts for ``U h`` alone.
        sums_are_one: only ``W x + b + U h + b'`` counts, so there is one gradient of both, and one place for it.
    """

    position: Callable[[Tensor, Tensor, State], tuple[State, Kept]]
    gradient: Callable[[Kept, State, Tensor, Tensor], tuple[Tensor | None, ...]]
    sums_are_one: bool


def _lstm(from_input: Tensor, from_hidden: Tensor, state: State) -> tuple[State, Kept]:
    """``c' = f c + i g`` and ``h' = o t`` with ``t = tanh(c')``."""
    gates, memory = from_input + from_hidden, state[1]
    size = memory.shape[1]
    gates[:, : 2 * size].sigmoid_()
    gates[:, 3 * size :].sigmoid_()
    i, f, g, o = gates.chunk(4, dim=1)
    g.tanh_()
    after = torch.mul(f, memory).addcmul_(i, g)
    shown = after.tanh()
    return (o * shown, after), (gates, memory, shown)


def _lstm_gradient(kept: Kept, of_state: State, of_input: Tensor, of_sums: Tensor) -> tuple[Tensor | None, ...]:
    """With ``dc' += dh' o (1 - t²)``: ``di = dc' g``, ``df = dc' c``, ``dg = dc' i``, ``do = dh' t``, and ``dc' f``."""
    (gates, memory, shown), (of_hidden, of_memory) = kept, of_state
    (i, f, g, o), (of_i, of_f, of_g, of_o) = gates.chunk(4, dim=1), of_input.chunk(4, dim=1)
    of_after = _tanh_backward(of_hidden * o, shown).add_(of_memory)
    _sigmoid_backward(of_after * g, i, grad_input=of_i)
    _sigmoid_backward(of_after * memory, f, grad_input=of_f)
    _tanh_backward(of_after * i, g, grad_input=of_g)
    _sigmoid_backward(of_hidden * shown, o, grad_input=of_o)
    return None, of_after.mul_(f)


def _gru(from_input: Tensor, from_hidden: Tensor, state: State) -> tuple[State, Kept]:
    """``h' = (1 - z) n + z h`` with ``n = tanh(W_n x + b + r (U_n h + b'))``."""
    (previous,) = state
    size = previous.shape[1]
    gates = (from_input[:, : 2 * size] + from_hidden[:, : 2 * size]).sigmoid_()
    r, z = gates.chunk(2, dim=1)
    recalled = from_hidden[:, 2 * size :]
    n = torch.addcmul(from_input[:, 2 * size :], r, recalled).tanh_()
    return (torch.lerp(n, previous, z),), (gates, n, recalled, previous)


def _gru_gradient(kept: Kept, of_state: State, of_input: Tensor, of_sums: Tensor) -> tuple[Tensor | None, ...]:
    """With a for what the tanh reads: ``da = dh' (1 - z) (1 - n²)``, ``dz = dh' (h - n)``, ``dr = da (U_n h + b')``;
    ``U_n h + b'`` has ``da r``, and h has ``dh' z``.
    """
    (gates, n, recalled, previous), (of_hidden,) = kept, of_state
    (r, z), (of_r, of_z, of_n) = gates.chunk(2, dim=1), of_input.chunk(3, dim=1)
    carried = of_hidden * z
    _tanh_backward(of_hidden - carried, n, grad_input=of_n)
    _sigmoid_backward(of_hidden * (previous - n), z, grad_input=of_z)
    _sigmoid_backward(of_n * recalled, r, grad_input=of_r)
    of_sums.copy_(of_input)[:, -n.shape[1] :].mul_(r)
    return (carried,)


def _tanh(from_input: Tensor, from_hidden: Tensor, state: State) -> tuple[State, Kept]:
    """``h' = tanh(W x + b + U h + b')``."""
    hidden = (from_input + from_hidden).tanh_()
    return (hidden,), (hidden,)


def _tanh_gradient(kept: Kept, of_state: State, of_input: Tensor, of_sums: Tensor) -> tuple[Tensor | None, ...]:
    """``dh' (1 - h'²)``."""
    _tanh_backward(of_state[0], kept[0], grad_input=of_input)
    return (None,)


def _relu(from_input: Tensor, from_hidden: Tensor, state: State) -> tuple[State, Kept]:
    """``h' = relu(W x + b + U h + b')``."""
    hidden = (from_input + from_hidden).relu_()
    return (hidden,), (hidden,)


def _relu_gradient(kept: Kept, of_state: State, of_input: Tensor, of_sums: Tensor) -> tuple[Tensor | None, ...]:
    """``dh'`` where h' is above 0."""
    _relu_backward(of_state[0], kept[0], 0, grad_input=of_input)
    return (None,)


LSTM_GATES = Gates(_lstm, _lstm_gradient, True)
GRU_GATES = Gates(_gru, _gru_gradient, False)
TANH_GATE = Gates(_tanh, _tanh_gradient, True)
RELU_GATE = Gates(_relu, _relu_gradient, True)


def gates_serve(inputs: Tensor) -> bool:
    """Whether a layer that reads these inputs is computed by gates: on a CPU, in one precision, by torch itself."""
    return inputs.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_exporting()


def update(gates: Gates, from_input: Tensor, from_hidden: Tensor, state: State) -> State:
    """Update a cell by one position: ``W x + b`` and ``U h + b'``, (N, G), parts of (N, H) -> parts of (N, H)."""
    if not torch.is_grad_enabled():
        return gates.position(from_input, from_hidden, state)[0]
    after: State = _Update.apply(gates, from_input, from_hidden, *state)  # type: ignore[no-untyped-call]
    return after


class _Update(torch.autograd.Function):
    """One position."""

    @staticmethod
    def forward(ctx: Any, gates: Gates, from_input: Tensor, from_hidden: Tensor, *state: Tensor) -> State:
        after, kept = gates.position(from_input, from_hidden, state)
        ctx.gates, ctx.shape = gates, from_input.shape
        ctx.save_for_backward(*kept)
        return after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *of_state: Tensor) -> tuple[Tensor | None, ...]:
        of_input = of_state[0].new_empty(ctx.shape)
        of_sums = of_input if ctx.gates.sums_are_one else torch.empty_like(of_input)
        of_before = ctx.gates.gradient(ctx.saved_tensors, of_state, of_input, of_sums)
        return None, of_input, of_sums, *of_before


def scan(
    gates: Gates,
    inputs: Tensor,
    state: State,
    weights: Sequence[Tensor],
    real: Tensor | None,
    mask: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Read whole sequences by one layer, forward.

    Args:
        gates: of the cell.
        inputs: x, (T, N, I).
        state: before the first position, parts of (N, H).
        weights: W (G, I), U (G, H), b and b' (G,).
        real: which positions are no padding, (T, N, 1); a sequence that has ended keeps its last state. None for all.
        mask: what h is multiplied by as ``U h`` reads it, dropout's draw: (N, H), or one of each position, (T, N, H).
            None for nothing. It takes no gradient.

    Returns:
        the states after each position, h alone, (T, N, H), and the state after the last, parts of (N, H).
    """
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    outputs: Tensor
    if mask is not None:
        mask = mask.expand(len(inputs), *mask.shape[-2:])
    from_input = linear(inputs, weight_ih, bias_ih)
    outputs, *final = _Scan.apply(gates, real, mask, from_input, weight_hh, bias_hh, *state)  # type: ignore[no-untyped-call]
    return outputs, tuple(final)


class _Scan(torch.autograd.Function):
    """All positions. The gradients of U and b' are each one product and one sum over all positions, as in
    ``product.GatheredProducts``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gates: Gates,
        real: Tensor | None,
        mask: Tensor | None,
        from_input: Tensor,
        weight: Tensor,
        bias: Tensor,
        *state: Tensor,
    ) -> State:
        weight = factor(weight)
        outputs = from_input.new_empty(*from_input.shape[:2], weight.shape[1])
        all_real = _all_real(real, len(from_input))
        reads, all_kept = list[Tensor](), list[Tensor]()
        for position, sums in enumerate(from_input):
            before = state
            read = (before[0] if mask is None else before[0] * mask[position]).to(weight.dtype)
            state, kept = gates.position(sums, multiply(read, weight, bias), before)
            if real is not None and not all_real[position]:
                state = tuple(torch.where(real[position], *pair) for pair in zip(state, before, strict=True))
            outputs[position] = state[0]
            if any(ctx.needs_input_grad):
                reads.append(read)
                all_kept.extend(kept)
        ctx.gates, ctx.real, ctx.all_real, ctx.mask = gates, real, all_real, mask
        ctx.save_for_backward(weight, *reads, *all_kept)
        return outputs, *(part.clone() for part in state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_outputs: Tensor, *of_state: Tensor) -> tuple[Tensor | None, ...]:
        weight, *saved = ctx.saved_tensors
        reads, all_kept = saved[: len(of_outputs)], saved[len(of_outputs) :]
        each = len(all_kept) // len(reads)
        of_input = of_outputs.new_empty(*of_outputs.shape[:2], weight.shape[0])
        of_sums = of_input if ctx.gates.sums_are_one else torch.empty_like(of_input)
        narrow = of_sums if weight.dtype == of_sums.dtype else torch.empty_like(of_sums, dtype=weight.dtype)
        for position in reversed(range(len(of_outputs))):
            of_state = (of_state[0] + of_outputs[position], *of_state[1:])
            skipped = None
            if ctx.real is not None and not ctx.all_real[position]:
                of_real = tuple(part * ctx.real[position] for part in of_state)
                skipped = tuple(part - real for part, real in zip(of_state, of_real, strict=True))
                of_state = of_real
            kept = tuple(all_kept[position * each : (position + 1) * each])
            of_before = ctx.gates.gradient(kept, of_state, of_input[position], of_sums[position])
            if narrow is not of_sums:
                narrow[position] = of_sums[position]
            through = multiply(narrow[position], weight.t())
            if ctx.mask is not None:
                through.mul_(ctx.mask[position])
            of_state = (through if of_before[0] is None else through.add_(of_before[0]), *of_before[1:])
            if skipped is not None:
                of_state = tuple(part.add_(rest) for part, rest in zip(of_state, skipped, strict=True))
        of_weight = weight_gradient(torch.cat(reads), narrow.flatten(0, 1))
        return None, None, None, of_input, of_weight, of_sums.sum(dim=(0, 1)), *of_state


def _all_real(real: Tensor | None, positions: int) -> list[bool]:
    """At which positions no sequence has ended."""
    return [True] * positions if real is None else real.flatten(1).all(dim=1).tolist()
