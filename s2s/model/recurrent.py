"""Stacks of recurrent layers: a whole sequence by ``scan``, one position by ``step``.

State is a tuple of tensors (N, L, H), one per part: ``(h,)`` for GRU and plain RNN, ``(h, c)`` for LSTM. In training
with variational dropout two more follow, the masks that a sequence keeps from its first position to its last.

All that is the same for every cell stands once, in ``Recurrent``: layers, directions, ragged lengths, dropout,
residual connections. A cell says which weights a layer has and how it updates its state by one position; the cells
that are written from their equations, to be read, are in ``cells.py``.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import ClassVar

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.dropout import dropout
from s2s.model.gates import Gates, gates_serve
from s2s.model.layer_scan import Kernel, scan_by_gates, scan_by_kernel, scan_by_loop

__all__ = ["Recurrent", "RecurrentState"]

RecurrentState = tuple[Tensor, ...]

STATE = ("hidden", "memory")


class Recurrent(nn.Module, ABC):
    """Layers of one recurrent cell, in one direction or both.

    Weights are named as torch names them, ``weight_ih_l0``, ``weight_hh_l0_reverse``, and begin as torch's do.

    Args:
        input_size: width of the input, I.
        hidden_size: width of the state of one direction, H.
        num_layers: number of layers, L.
        bidirectional: read the sequence in both directions; such a stack has no ``step``.
        dropout: probability to drop a unit between layers, drawn anew at each position.
        variational_dropout: probability to drop a unit of h, as the matrix products read it, and of what passes up to
            the next layer, the same units at all positions of a sequence (Gal & Ghahramani 2016). Between layers it
            takes the place of ``dropout``.
        residual: every layer above the first adds its input to its output (Wu et al. 2016, section 3.1). No dropout
            falls on that path, and the state stays the layer's own h.
    """

    state_parts: ClassVar[int]
    gates: ClassVar[int]

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        variational_dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise InputError(f"a recurrent network of {num_layers} layers cannot be built; set num_layers to 1 or more")
        if not 0 <= variational_dropout < 1:
            raise InputError(
                f"variational_dropout={variational_dropout} is no probability below 1; give a number from 0 to 0.9"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.directions = 2 if bidirectional else 1
        self.output_size = hidden_size * self.directions
        self.dropout = dropout
        self.variational_dropout = variational_dropout
        self.residual = residual
        self.weight_names = list(self.shapes(input_size, hidden_size))
        for layer in range(num_layers):
            shapes = self.shapes(self.output_size if layer else input_size, hidden_size)
            for direction in range(self.directions):
                for name, shape in shapes.items():
                    self.register_parameter(_name(name, layer, direction), nn.Parameter(torch.empty(shape)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights as torch does, uniform within ``1 / sqrt(H)``; layer norms begin with gain 1 and shift 0."""
        for name, parameter in self.named_parameters():
            if name.startswith("gain"):
                nn.init.ones_(parameter)
            elif name.startswith("shift"):
                nn.init.zeros_(parameter)
            else:
                nn.init.uniform_(parameter, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Name the weights of one layer and direction, in the order that ``cell`` takes; H rows per gate."""
        rows = self.gates * hidden_size
        matrices = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        return {**matrices, "bias_ih": (rows,), "bias_hh": (rows,)}

    @abstractmethod
    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute all that a layer holds at one position, by the equations of its cell.

        Args:
            inputs: x, (N, I).
            hidden: h as the matrix products read it, (N, H), thinned by variational dropout.
            state: all parts as they are, (N, H).
            weights: as ``shapes`` names them.

        Returns:
            by name, (N, H) each: the gates, the new content, and the new state, ``hidden`` and for an LSTM ``memory``.
        """

    def cell(self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]) -> RecurrentState:
        """Update one layer by one position: as ``activations`` -> the new parts (N, H), the output first."""
        values = self.activations(inputs, hidden, state, weights)
        return tuple(values[part] for part in STATE[: self.state_parts])

    def forward(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> RecurrentState:
        """Call ``cell``, so that a forward hook sees each update; ``scan`` is then read by the cell as well."""
        return self.cell(inputs, hidden, state, weights)

    def kernel(self) -> Kernel | None:
        """The function that reads a whole layer at once on a GPU; None where there is none."""
        return None

    def fused(self) -> Gates | None:
        """The cell between its matrix products, with its gradient, for a CPU; None where there is but ``cell``."""
        return None

    def start(self, state: RecurrentState) -> RecurrentState:
        """Begin sequences: parts of (N, L, H) -> the state before the first position, with its masks where it has any.

        The masks, parts of (N, L, H), are of h and of what each layer passes up. They are drawn once per sequence.
        """
        if not (self.training and self.variational_dropout):
            return state
        ones = torch.ones_like(state[0])
        return (*state, *(dropout(ones, self.variational_dropout) for _ in range(2)))

    def scan(
        self, inputs: Tensor, *, lengths: Tensor | None = None, state: RecurrentState | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """Read whole sequences.

        Args:
            inputs: (B, T, I).
            lengths: real positions of each sequence, (B,), so that padding is never read, in either direction;
                None to read all T positions.
            state: what ``start`` made, parts of (B, L, D); None to start from zeros.

        Returns:
            outputs (B, T, D), zero on padding, and the state after the last position, parts of (B, L, D) without
            masks; D is H, or 2H with both directions side by side.
        """
        if state is None:
            zeros = inputs.new_zeros(inputs.shape[0], self.num_layers, self.output_size)
            state = self.start((zeros,) * self.state_parts)
        lengths = None if lengths is None else lengths.cpu()
        if lengths is not None and bool((lengths == inputs.shape[1]).all()):
            lengths = None
        finals = []
        for layer in range(self.num_layers):
            read = self._passed_up(inputs, layer, state)
            outputs, final = self._scan_layer(layer, read, tuple(part[:, layer] for part in state), lengths)
            inputs = outputs + inputs if layer and self.residual else outputs
            finals.append(final)
        return inputs, _by_part(finals)

    def step(self, inputs: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Read one position: (N, I), parts of (N, L, H) -> output of the top layer (N, H), new state."""
        finals = []
        for layer in range(self.num_layers):
            read = self._passed_up(inputs, layer, state)
            parts = tuple(part[:, layer] for part in state[: self.state_parts])
            mask = state[-2][:, layer] if len(state) > self.state_parts else None
            final = self._update(read, parts, mask=mask, weights=self.layer_weights(layer, 0))
            inputs = final[0] + inputs if layer and self.residual else final[0]
            finals.append(final)
        return inputs, (*_by_part(finals), *state[self.state_parts :])

    def _passed_up(self, inputs: Tensor, layer: int, state: RecurrentState) -> Tensor:
        """What a layer reads of the one below it: (N, D) or (B, T, D), thinned by dropout; the bottom reads all."""
        if layer == 0:
            return inputs
        if len(state) == self.state_parts:
            return dropout(inputs, self.dropout, self.training)
        mask = state[-1][:, layer - 1]
        return inputs * (mask if inputs.dim() == 2 else mask[:, None])

    def layer_weights(self, layer: int, direction: int) -> list[Tensor]:
        """The weights of one layer and direction."""
        return [getattr(self, _name(name, layer, direction)) for name in self.weight_names]

    def _update(
        self, inputs: Tensor, parts: RecurrentState, *, mask: Tensor | None, weights: Sequence[Tensor]
    ) -> RecurrentState:
        """Update one layer by one position, h under its mask: (N, I), parts of (N, H) -> parts of (N, H)."""
        updated: RecurrentState = self(inputs, parts[0] if mask is None else parts[0] * mask, parts, weights)
        return updated

    def _scan_layer(
        self, layer: int, inputs: Tensor, state: RecurrentState, lengths: Tensor | None
    ) -> tuple[Tensor, RecurrentState]:
        """Read whole sequences by one layer: (B, T, I), parts of (B, D) -> outputs (B, T, D), parts of (B, D)."""
        parts, masks = state[: self.state_parts], state[self.state_parts :]
        weights = [self.layer_weights(layer, direction) for direction in range(self.directions)]
        kernel, gates = (None, None) if self._forward_hooks else (self.kernel(), self.fused())
        # Without a gradient to keep for, and without padding, torch's kernel is the faster on a CPU too.
        by_gates = gates_serve(inputs) and (torch.is_grad_enabled() or lengths is not None)
        if gates is not None and not masks and by_gates:
            return scan_by_gates(gates, inputs, parts, weights, lengths)
        if kernel is not None and not masks:
            return scan_by_kernel(kernel, inputs, parts, list(chain(*weights)), lengths)
        of_directions = masks[0].chunk(self.directions, dim=-1) if masks else [None] * self.directions
        updates = [
            partial(self._update, mask=mask, weights=of_direction)
            for mask, of_direction in zip(of_directions, weights, strict=True)
        ]
        return scan_by_loop(updates, inputs, parts, lengths)


def _name(weight: str, layer: int, direction: int) -> str:
    """The name torch gives a weight of one layer and direction."""
    return f"{weight}_l{layer}{'_reverse' if direction else ''}"


def _by_part(layers: list[RecurrentState]) -> RecurrentState:
    """Parts (N, D) of each layer -> parts (N, L, D)."""
    if len(layers) == 1:
        return tuple(part[:, None] for part in layers[0])
    return tuple(torch.stack(parts, dim=1) for parts in zip(*layers, strict=True))
