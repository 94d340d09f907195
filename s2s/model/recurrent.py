"""Stacks of recurrent layers: a whole sequence by ``scan``, one position by ``step``.

State is a tuple of tensors (N, L, H), one per part: ``(h,)`` for GRU and plain RNN, ``(h, c)`` for LSTM. What dropout
draws for whole sequences stands beside it, in ``LayerDraws``.

All that is the same for every cell stands once, in ``Recurrent``: layers, directions, ragged lengths, dropout,
residual connections. A cell says which weights a layer has and how it updates its state by one position; the cells
that are written from their equations, to be read, are in ``cells.py``.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, product
from typing import ClassVar

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.draws import LayerDraws
from s2s.model.dropout import NO_DROPOUT, Dropouts, check_probabilities, dropout
from s2s.model.gates import Gates, gates_serve
from s2s.model.layer_scan import Kernel, scan_by_gates, scan_by_kernel, scan_by_loop

__all__ = ["Recurrent", "RecurrentState", "check_depth"]

MOST_LAYERS = 100

RecurrentState = tuple[Tensor, ...]

STATE = ("hidden", "memory")
NOTHING = LayerDraws()


class Recurrent(nn.Module, ABC):
    """Layers of one recurrent cell, in one direction or both.

    Weights are named as torch names them, ``weight_ih_l0``, ``weight_hh_l0_reverse``.

    Args:
        input_size: width of the input, I.
        hidden_size: width of the state of one direction, H.
        num_layers: number of layers, L.
        bidirectional: read the sequence in both directions; such a stack has no ``step``.
        dropouts: probabilities to drop a unit of what passes up a layer, and of h as the matrix products read it.
        variational_dropout: a probability for both that takes their place, and drops the same units at all positions of
            a sequence (Gal & Ghahramani 2016).
        weight_dropout: probability to drop a weight that reads h, the same for all sequences and positions that are
            read together (Merity, Keskar & Socher 2018, section 2; Wan et al. 2013).
        residual: every layer above the first adds its input to its output (Wu et al. 2016, section 3.1). No dropout
            falls on that path, and the state stays the layer's own h.
    """

    state_parts: ClassVar[int]
    gates: ClassVar[int]
    forget_gate: ClassVar[int | None] = None
    """Which of the gates keeps the old memory."""

    def __init__(
        self,
        input_size: int,
        *,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropouts: Dropouts = NO_DROPOUT,
        variational_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise InputError(f"a recurrent network of {num_layers} layers cannot be built; set num_layers to 1 or more")
        check_depth(num_layers)
        check_probabilities("model.rnn", variational_dropout=variational_dropout, weight_dropout=weight_dropout)
        if variational_dropout:
            of_both = {"layer": variational_dropout, "recurrent": variational_dropout}
            dropouts = replace(dropouts, **of_both, variational=True)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.directions = 2 if bidirectional else 1
        self.output_size = hidden_size * self.directions
        self.dropouts = dropouts
        self.weight_dropout = weight_dropout
        self.residual = residual
        self.weight_names = list(self.shapes(input_size, hidden_size))
        for layer in range(num_layers):
            shapes = self.shapes(self.output_size if layer else input_size, hidden_size)
            for direction in range(self.directions):
                for name, shape in shapes.items():
                    self.register_parameter(_name(name, layer, direction), nn.Parameter(torch.empty(shape)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights uniformly within ``1 / sqrt(H)``; layer norms begin with gain 1 and shift 0, biases at 0.

        A forget gate begins open, by a bias of 1, or nothing would be remembered long enough to learn what it is good
        for (Jozefowicz, Zaremba & Sutskever 2015, section 2.2).
        """
        for name, parameter in self.named_parameters():
            if name.startswith("gain"):
                nn.init.ones_(parameter)
            elif name.startswith(("bias", "shift")):
                nn.init.zeros_(parameter)
                if self.forget_gate is not None and name.startswith(("bias_ih", "shift_ih")):
                    nn.init.ones_(parameter.detach().chunk(self.gates)[self.forget_gate])
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
            hidden: h as the matrix products read it, (N, H), thinned by dropout.
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

    def draw(self, rows: Tensor) -> LayerDraws:
        """Draw what dropout leaves whole sequences, given any tensor (N, …) of theirs; nothing but in training."""
        if not self.training:
            return NOTHING
        shape = (len(rows), self.num_layers, self.output_size)
        hidden, upward = (
            dropout(rows.new_ones(shape), share) if share and self.dropouts.variational else None
            for share in (self.dropouts.recurrent, self.dropouts.layer)
        )
        return LayerDraws(hidden, upward, self._draw_weights() if self.weight_dropout else ())

    def scan(
        self,
        inputs: Tensor,
        *,
        lengths: Tensor | None = None,
        state: RecurrentState | None = None,
        draws: LayerDraws | None = None,
    ) -> tuple[Tensor, RecurrentState]:
        """Read whole sequences.

        Args:
            inputs: (B, T, I).
            lengths: real positions of each sequence, (B,), so that padding is never read, in either direction;
                None to read all T positions.
            state: before the first position, parts of (B, L, D); None to start from zeros.
            draws: what ``draw`` made; None to draw.

        Returns:
            outputs (B, T, D), zero on padding, and the state after the last position, parts of (B, L, D); D is H, or
            2H with both directions side by side.
        """
        draws = self.draw(inputs) if draws is None else draws
        if state is None:
            zeros = inputs.new_zeros(inputs.shape[0], self.num_layers, self.output_size)
            state = (zeros,) * self.state_parts
        lengths = None if lengths is None else lengths.cpu()
        # An exported graph is the same for all lengths.
        if lengths is not None and not torch.compiler.is_exporting() and bool((lengths == inputs.shape[1]).all()):
            lengths = None
        finals = []
        for layer in range(self.num_layers):
            read = self._passed_up(inputs, layer, draws)
            outputs, final = self._scan_layer(layer, read, tuple(part[:, layer] for part in state), lengths, draws)
            inputs = outputs + inputs if layer and self.residual else outputs
            finals.append(final)
        return inputs, _by_part(finals)

    def step(self, inputs: Tensor, state: RecurrentState, draws: LayerDraws = NOTHING) -> tuple[Tensor, RecurrentState]:
        """Read one position: (N, I), parts of (N, L, H), what ``draw`` made -> top layer's output (N, H), new parts."""
        finals = []
        for layer in range(self.num_layers):
            read = self._passed_up(inputs, layer, draws)
            parts = tuple(part[:, layer] for part in state)
            mask = None if draws.hidden is None else draws.hidden[:, layer]
            final = self._update(read, parts, mask=mask, weights=self.layer_weights(layer, 0, draws))
            inputs = final[0] + inputs if layer and self.residual else final[0]
            finals.append(final)
        return inputs, _by_part(finals)

    def _passed_up(self, inputs: Tensor, layer: int, draws: LayerDraws) -> Tensor:
        """What a layer reads of the one below it: (N, D) or (B, T, D), thinned by dropout; the bottom reads all."""
        if layer == 0:
            return inputs
        mask = None if draws.upward is None else draws.upward[:, layer - 1]
        return dropout(inputs, self.dropouts.layer, self.training, mask)

    def layer_weights(self, layer: int, direction: int, draws: LayerDraws = NOTHING) -> Sequence[Tensor]:
        """The weights of one layer and direction, as they were drawn where they were."""
        if draws.weights:
            return draws.weights[layer * self.directions + direction]
        return [getattr(self, _name(name, layer, direction)) for name in self.weight_names]

    def _draw_weights(self) -> tuple[tuple[Tensor, ...], ...]:
        """The weights of every layer and direction, those that read h under dropout."""
        drawn = list[tuple[Tensor, ...]]()
        for layer, direction in product(range(self.num_layers), range(self.directions)):
            named = zip(self.weight_names, self.layer_weights(layer, direction), strict=True)
            drawn.append(tuple(dropout(w, self.weight_dropout) if "weight_hh" in name else w for name, w in named))
        return tuple(drawn)

    def _update(
        self, inputs: Tensor, parts: RecurrentState, *, mask: Tensor | None, weights: Sequence[Tensor]
    ) -> RecurrentState:
        """Update one layer by one position, h thinned by dropout: (N, I), parts of (N, H) -> parts of (N, H)."""
        hidden = dropout(parts[0], self.dropouts.recurrent, self.training, mask)
        updated: RecurrentState = self(inputs, hidden, parts, weights)
        return updated

    def _scan_layer(
        self, layer: int, inputs: Tensor, parts: RecurrentState, lengths: Tensor | None, draws: LayerDraws
    ) -> tuple[Tensor, RecurrentState]:
        """Read whole sequences by one layer: (B, T, I), parts of (B, D) -> outputs (B, T, D), parts of (B, D)."""
        mask = None if draws.hidden is None else draws.hidden[:, layer]
        weights = [self.layer_weights(layer, direction, draws) for direction in range(self.directions)]
        by_cell = self._forward_hooks or torch.compiler.is_exporting()
        kernel, gates = (None, None) if by_cell else (self.kernel(), self.fused())
        thinned = mask is not None or (self.training and self.dropouts.recurrent > 0)
        # Without a gradient to keep for, and without padding, torch's kernel is the faster on a CPU too.
        by_gates = gates_serve(inputs) and (torch.is_grad_enabled() or lengths is not None or thinned)
        if gates is not None and by_gates:
            if thinned and mask is None:
                ones = inputs.new_ones(inputs.shape[1], len(inputs), self.output_size)
                mask = dropout(ones, self.dropouts.recurrent)
            return scan_by_gates(gates, inputs, parts, weights, lengths, mask)
        if kernel is not None and not thinned:
            return scan_by_kernel(kernel, inputs, parts, list(chain(*weights)), lengths)
        of_directions = [None] * self.directions if mask is None else mask.chunk(self.directions, dim=-1)
        updates = [
            partial(self._update, mask=mask, weights=of_direction)
            for mask, of_direction in zip(of_directions, weights, strict=True)
        ]
        return scan_by_loop(updates, inputs, parts, lengths)


def check_depth(layers: int) -> None:
    """Raise an InputError for more layers, or transitions of one, than anybody trains."""
    if layers > MOST_LAYERS:
        raise InputError(f"a network of {layers} layers is too deep; set their number to {MOST_LAYERS} or fewer")


def _name(weight: str, layer: int, direction: int) -> str:
    """The name torch gives a weight of one layer and direction."""
    return f"{weight}_l{layer}{'_reverse' if direction else ''}"


def _by_part(layers: list[RecurrentState]) -> RecurrentState:
    """Parts (N, D) of each layer -> parts (N, L, D)."""
    if len(layers) == 1:
        return tuple(part[:, None] for part in layers[0])
    return tuple(torch.stack(parts, dim=1) for parts in zip(*layers, strict=True))
