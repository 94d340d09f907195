"""What the papers write, in NumPy and float64, one sentence and one position at a time."""

from dataclasses import dataclass

import numpy as np
import torch
from tiny_models import SOURCES, padded


@dataclass(frozen=True)
class Sentence:
    """What a decoder is given of one source.

    ``values`` (S, D), real words alone; ``final`` (D,), the top layer's h after the last word; ``state`` the decoder's
    first state, from the bottom layer up, parts of (H,) each.
    """

    values: np.ndarray
    final: np.ndarray
    state: list[tuple[np.ndarray, ...]]


def assert_decoder_follows(equations, model, positions=3):
    """Compare a model's decoder with ``equations(decoder, embedded (T, E), sentence) -> outputs, weights``."""
    encoded = model.encoder(padded(SOURCES))
    rnn = model.bridge(encoded)
    embedded = torch.randn(3, positions, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(21))
    with torch.no_grad():
        outputs, attention = model.decoder(embedded, *model.decoder.start(encoded, rnn))
    for row, source in enumerate(SOURCES):
        sentence = Sentence(
            encoded.values[row, : len(source)].detach().numpy(),
            encoded.final[0][row, -1].detach().numpy(),
            list(zip(*(part[row].detach().numpy() for part in rnn), strict=True)),
        )
        expected, weights = equations(model.decoder, embedded[row].numpy(), sentence)
        np.testing.assert_allclose(outputs[row], np.stack(expected), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(attention[row, :, : len(source)], np.stack(weights), rtol=1e-10, atol=1e-10)
        assert (attention[row, :, len(source) :] == 0).all()


def array(parameter):
    return parameter.detach().numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(w, u, b, d, x, h, c):
    """Hochreiter & Schmidhuber (1997), Gers et al. (2000): gates in torch's order i, f, g, o."""
    i, f, g, o = np.split(w @ x + b + u @ h + d, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(w, u, b, d, x, h):
    """Cho et al. (2014), with the reset gate after the product: gates in torch's order r, z, n."""
    (xr, xz, xn), (hr, hz, hn) = np.split(w @ x + b, 3), np.split(u @ h + d, 3)
    z = sigmoid(xz + hz)
    return ((1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h,)


def update(cell, recurrent, x, state):
    """Take all layers one position on: the top layer's output, and the state of each."""
    after = []
    for layer, parts in enumerate(state):
        names = (f"{name}_l{layer}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        after.append(cell(*(array(getattr(recurrent, name)) for name in names), x, *parts))
        x = after[-1][0]
    return x, after


def additive(attention, query, values):
    """Bahdanau et al. (2015), A.1.2 and eq. 5 and 6: the context, and the weights."""
    w, u, v = (array(part) for part in (attention.project_query.weight, attention.project_memory.weight, attention.v))
    energy = np.array([v @ np.tanh(w @ query + u @ value) for value in values])
    weights = np.exp(energy) / np.exp(energy).sum()
    return weights @ values, weights
