"""Recurrent cells with layer normalization, written from their equations; the letters are those of ``cells.py``.

``LN`` takes the mean of a vector away, divides by its standard deviation, and then scales and shifts each unit by a
learnt gain and shift (Ba, Kiros & Hinton 2016, supplementary material, eq. 15 and 16). So the sums before the gates
keep one size, whatever the weights grow to and however long the sequence is.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from s2s.model.product import linear
from s2s.model.recurrent import Recurrent, RecurrentState

__all__ = ["GRULayerNorm", "LSTMLayerNorm"]


class LSTMLayerNorm(Recurrent):
    """LSTM with layer normalization (Ba, Kiros & Hinton 2016, supplementary material, eq. 20 to 22).

    The gates are for the same as in ``LSTMReference``: i lets new content g into the memory c, f keeps the old, o shows
    it as h::

        (i, f, g, o) = LN(W x) + LN(U h)
        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(LN(c'))

    Each LN is over the sums of all four gates together. The memory that is kept is c' itself, not what LN makes of it.
    The bias b of eq. 20 is the sum of the two shifts.
    """

    state_parts = 2
    gates = 4
    forget_gate = 1

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Name the weights of one layer and direction: matrices, and gain and shift of three norms."""
        sums, memory = (4 * hidden_size,), (hidden_size,)
        return {
            "weight_ih": (4 * hidden_size, input_size),
            "weight_hh": (4 * hidden_size, hidden_size),
            **dict.fromkeys(("gain_ih", "shift_ih", "gain_hh", "shift_hh"), sums),
            **dict.fromkeys(("gain_c", "shift_c"), memory),
        }

    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the equations above."""
        weight_ih, weight_hh, gain_ih, shift_ih, gain_hh, shift_hh, gain_c, shift_c = weights
        _, memory = state
        from_input = _normalised(linear(inputs, weight_ih), gain_ih, shift_ih)
        from_hidden = _normalised(linear(hidden, weight_hh), gain_hh, shift_hh)
        i, f, g, o = (from_input + from_hidden).chunk(4, dim=-1)
        gates = {"input_gate": i.sigmoid(), "forget_gate": f.sigmoid(), "content": g.tanh(), "output_gate": o.sigmoid()}
        memory = gates["forget_gate"] * memory + gates["input_gate"] * gates["content"]
        shown = gates["output_gate"] * _normalised(memory, gain_c, shift_c).tanh()
        return {**gates, "memory": memory, "hidden": shown}


class GRULayerNorm(Recurrent):
    """GRU with layer normalization (Ba, Kiros & Hinton 2016, supplementary material, eq. 26 to 28).

    The reset gate r decides how much of the old state the new content n sees, the update gate z how much of the new
    content comes in. The gates are normalised together, the content alone::

        (r, z) = LN(W x) + LN(U h)
        n = tanh(LN(W_n x) + sigmoid(r) * LN(U_n h))
        h' = (1 - sigmoid(z)) * h + sigmoid(z) * n

    Beware of z: in this paper an open update gate lets the new content in, in ``GRUReference`` it keeps the old state.
    """

    state_parts = 1

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Name the weights of one layer and direction: matrices, and gain and shift of four norms."""
        gates, content = (2 * hidden_size,), (hidden_size,)
        return {
            "weight_ih": (3 * hidden_size, input_size),
            "weight_hh": (3 * hidden_size, hidden_size),
            **dict.fromkeys(("gain_ih", "shift_ih", "gain_hh", "shift_hh"), gates),
            **dict.fromkeys(("gain_n_ih", "shift_n_ih", "gain_n_hh", "shift_n_hh"), content),
        }

    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the equations above."""
        weight_ih, weight_hh, gain_ih, shift_ih, gain_hh, shift_hh, *of_content = weights
        gain_n_ih, shift_n_ih, gain_n_hh, shift_n_hh = of_content
        (previous,) = state
        widths = [2 * self.hidden_size, self.hidden_size]
        gates_x, n_x = torch.split(linear(inputs, weight_ih), widths, dim=-1)
        gates_h, n_h = torch.split(linear(hidden, weight_hh), widths, dim=-1)
        gates = _normalised(gates_x, gain_ih, shift_ih) + _normalised(gates_h, gain_hh, shift_hh)
        reset_gate, update_gate = gates.sigmoid().chunk(2, dim=-1)
        seen = reset_gate * _normalised(n_h, gain_n_hh, shift_n_hh)
        content = torch.tanh(_normalised(n_x, gain_n_ih, shift_n_ih) + seen)
        after = (1 - update_gate) * previous + update_gate * content
        return {"reset_gate": reset_gate, "update_gate": update_gate, "content": content, "hidden": after}


def _normalised(rows: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """``LN``: each row to mean 0 and deviation 1, then gain and shift (eq. 15 and 16)."""
    return layer_norm(rows, gain.shape, gain, shift)
