"""Recurrent cells written from their equations, one position per turn, to be read.

In every equation x is the input of this position, h the state after the position before it, and h' the new state.
``W`` and ``U`` are the weights that read x and h, one block of rows for each gate; ``*`` multiplies unit by unit. A
gate is a sigmoid: each of its units lies between 0, closed, and 1, open, and is multiplied with what it lets through.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from s2s.errors import InputError
from s2s.model.dropout import NO_DROPOUT, Dropouts
from s2s.model.product import linear
from s2s.model.recurrent import Recurrent, RecurrentState, check_depth

__all__ = [
    "GRUCho",
    "GRUDeepTransition",
    "GRUReference",
    "LSTMReference",
    "RNNReference",
]

NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu}


class RNNReference(Recurrent):
    """Plain recurrent network (Elman 1990).

    The new state mixes what is read with what was there before::

        h' = tanh(W x + b + U h + b')

    There is no gate: each position writes over the whole state, so what was read some positions ago fades, and so
    does the gradient that would have to reach it. The gated cells below were made to mend this.

    Args:
        nonlinearity: ``tanh``, or ``relu`` (Le, Jaitly & Hinton 2015), which does not bound the state.
        input_size, hidden_size, num_layers, bidirectional, dropouts, variational_dropout, weight_dropout, residual: as
            in ``Recurrent``.
    """

    state_parts = 1
    gates = 1

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
        nonlinearity: str = "tanh",
    ) -> None:
        super().__init__(
            input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropouts=dropouts,
            variational_dropout=variational_dropout,
            weight_dropout=weight_dropout,
            residual=residual,
        )
        if nonlinearity not in NONLINEARITIES:
            raise InputError(f"nonlinearity={nonlinearity} is unknown; give tanh or relu")
        self.nonlinearity = nonlinearity

    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the equations above."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        sums = linear(inputs, weight_ih, bias_ih) + linear(hidden, weight_hh, bias_hh)
        return {"hidden": NONLINEARITIES[self.nonlinearity](sums)}


class LSTMReference(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000).

    Beside h, what the cell shows, there is c, its long-term memory. The memory is only ever scaled and added to, never
    multiplied by a matrix, so it can carry something over many positions, and the gradient comes back the same way::

        i = sigmoid(W_i x + b_i + U_i h + b'_i)     input gate: how much of the new content is written to the memory
        f = sigmoid(W_f x + b_f + U_f h + b'_f)     forget gate: how much of the old memory is kept
        g = tanh(W_g x + b_g + U_g h + b'_g)        the new content
        o = sigmoid(W_o x + b_o + U_o h + b'_o)     output gate: how much of the memory is shown
        c' = f * c + i * g
        h' = o * tanh(c')

    With f open and i closed the memory stays as it is; with f closed and i open it is written anew. The weights hold
    the rows of i, f, g, o in this order.
    """

    state_parts = 2
    gates = 4
    forget_gate = 1

    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the equations above."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        _, memory = state
        sums = linear(inputs, weight_ih, bias_ih) + linear(hidden, weight_hh, bias_hh)
        i, f, g, o = sums.chunk(4, dim=-1)
        gates = {"input_gate": i.sigmoid(), "forget_gate": f.sigmoid(), "content": g.tanh(), "output_gate": o.sigmoid()}
        memory = gates["forget_gate"] * memory + gates["input_gate"] * gates["content"]
        return {**gates, "memory": memory, "hidden": gates["output_gate"] * memory.tanh()}


class GRUReference(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate where torch has it.

    It has no memory beside h: one gate decides, unit by unit, between the old state and new content::

        r = sigmoid(W_r x + b_r + U_r h + b'_r)        reset gate: how much the new content sees of the old state
        z = sigmoid(W_z x + b_z + U_z h + b'_z)        update gate: how much of the old state is kept
        n = tanh(W_n x + b_n + r * (U_n h + b'_n))     the new content
        h' = (1 - z) * n + z * h

    With z open the state is carried on as it is, over as many positions as that lasts; with z closed and r closed it
    begins anew from the input alone. The weights hold the rows of r, z, n in this order.

    In the paper the reset gate falls on the state before the matrix product, ``n = tanh(W_n x + U_n (r * h))``, which
    is ``GRUCho``. Here, as in torch and cuDNN, it falls on the product, ``r * (U_n h + b'_n)``, so that all three
    products of h can be taken at once. The two are different functions of
    the same weights.
    """

    state_parts = 1
    gates = 3

    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the equations above."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        (previous,) = state
        return _gru(linear(inputs, weight_ih, bias_ih), linear(hidden, weight_hh, bias_hh), previous)


class GRUCho(Recurrent):
    """The gated recurrent unit as it was published (Cho et al. 2014, eq. 5 to 8; with biases, which the paper omits).

    The reset gate r falls on the state before the matrix product, so a unit that is reset is unseen by all of the new
    content n, and the update gate z keeps the old state; ``GRUReference`` says how torch differs::

        r = sigmoid(W_r x + b_r + U_r h + b'_r)
        z = sigmoid(W_z x + b_z + U_z h + b'_z)
        n = tanh(W_n x + b_n + U_n (r * h) + b'_n)
        h' = z * h + (1 - z) * n

    Names and shapes of the weights are those of the GRU.
    """

    state_parts = 1
    gates = 3

    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the equations above."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        (previous,) = state
        r_x, z_x, n_x = linear(inputs, weight_ih, bias_ih).chunk(3, dim=-1)
        (weight_r, weight_z, weight_n), (bias_r, bias_z, bias_n) = weight_hh.chunk(3), bias_hh.chunk(3)
        reset_gate = torch.sigmoid(r_x + linear(hidden, weight_r, bias_r))
        update_gate = torch.sigmoid(z_x + linear(hidden, weight_z, bias_z))
        content = torch.tanh(n_x + linear(reset_gate * hidden, weight_n, bias_n))
        after = update_gate * previous + (1 - update_gate) * content
        return {"reset_gate": reset_gate, "update_gate": update_gate, "content": content, "hidden": after}


class GRUDeepTransition(Recurrent):
    """GRU that goes through several transitions at each position (Miceli Barone et al. 2017).

    A stack is deep in what it makes of the input, but each of its layers takes one shallow step from a position to
    the next. Here that step is deep: the first transition reads the input, those after it the state alone::

        s_1 = GRU_1(x, h);  s_k = GRU_k(0, s_{k-1});  h' = s_K

    Each transition has gates of its own, which are for the same as in ``GRUReference``; with one transition it is the
    GRU. Dropout of h thins what the first transition reads.

    Args:
        transitions: how many, K.
        input_size, hidden_size, num_layers, bidirectional, dropouts, variational_dropout, weight_dropout, residual: as
            in ``Recurrent``.
    """

    state_parts = 1
    gates = 3

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
        transitions: int = 2,
    ) -> None:
        if transitions < 1:
            raise InputError(f"a state cannot go through {transitions} transitions; set transitions to 1 or more")
        check_depth(transitions)
        self.transitions = transitions
        super().__init__(
            input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropouts=dropouts,
            variational_dropout=variational_dropout,
            weight_dropout=weight_dropout,
            residual=residual,
        )

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Name the weights of one layer and direction: a GRU's, then those of the transitions without input."""
        shapes, rows = super().shapes(input_size, hidden_size), self.gates * hidden_size
        for transition in range(2, self.transitions + 1):
            shapes[f"weight_hh_t{transition}"] = (rows, hidden_size)
            shapes[f"bias_ih_t{transition}"] = (rows,)
            shapes[f"bias_hh_t{transition}"] = (rows,)
        return shapes

    def activations(
        self, inputs: Tensor, hidden: Tensor, state: RecurrentState, weights: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the equations above."""
        weight_ih, weight_hh, bias_ih, bias_hh, *following = weights
        (previous,) = state
        values = _gru(linear(inputs, weight_ih, bias_ih), linear(hidden, weight_hh, bias_hh), previous)
        last = zip(following[::3], following[1::3], following[2::3], strict=True)
        for number, (weight_hh, bias_ih, bias_hh) in enumerate(last, 2):
            after = values["hidden"]
            transition = _gru(bias_ih, linear(after, weight_hh, bias_hh), after)
            values |= {f"{name}_{number}": value for name, value in transition.items()}
            values["hidden"] = transition["hidden"]
        return values


def _gru(from_input: Tensor, from_hidden: Tensor, previous: Tensor) -> dict[str, Tensor]:
    """The equations of ``GRUReference``, given ``W x + b`` and ``U h + b'`` of all gates, and h."""
    (r_x, z_x, n_x), (r_h, z_h, n_h) = from_input.chunk(3, dim=-1), from_hidden.chunk(3, dim=-1)
    reset_gate, update_gate = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
    content = torch.tanh(n_x + reset_gate * n_h)
    after = (1 - update_gate) * content + update_gate * previous
    return {"reset_gate": reset_gate, "update_gate": update_gate, "content": content, "hidden": after}
