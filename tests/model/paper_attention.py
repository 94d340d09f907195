"""Attention as the papers write it: NumPy, float64, one query and one sentence of real words at a time.

A score is a function of weights by name, query (H,), states (n, D) and the weights of all positions before, a list of
(n,); it gives energies (heads, n). A window is a function of weights, query, length and position t, counted from 1; it
gives the factor (n,) of every word.
"""

from functools import partial

import numpy as np

from s2s.model.attention import (
    AdditiveAttention,
    ConcatAttention,
    DotAttention,
    GeneralAttention,
    NormalisedAdditiveAttention,
    ScaledDotAttention,
)
from s2s.model.multihead_attention import MultiHeadAttention
from s2s.model.position_attention import CoverageAttention, LocationAttention, LocationSensitiveAttention
from s2s.model.window import GlobalWindow, LocalMonotonicWindow, LocalPredictiveWindow


def additive(p, q, states, past):
    return [[p["v"] @ np.tanh(p["project_query"] @ q + p["project_memory"] @ s) for s in states]]


def normalised_additive(p, q, states, past):
    v = p["g"] * p["v"] / np.sqrt((p["v"] ** 2).sum())
    return [[v @ np.tanh(p["project_query"] @ q + p["project_memory"] @ s + p["b"]) for s in states]]


def dot(p, q, states, past):
    return [[sum(q * s) for s in states]]


def scaled_dot(p, q, states, past):
    return [[sum(q * s) / len(q) ** 0.5 for s in states]]


def general(p, q, states, past):
    return [[q @ p["project_memory"] @ s for s in states]]


def concat(p, q, states, past):
    return [[p["v"] @ np.tanh(p["project"] @ np.concatenate([q, s])) for s in states]]


def location(p, q, states, past):
    energies = p["project_query"] @ q
    return [[energies[j] if j < len(energies) else -np.inf for j in range(len(states))]]


def location_sensitive(p, q, states, past):
    before = past[-1] if past else np.zeros(len(states))
    filters = p["convolve"][:, 0]
    middle = filters.shape[1] // 2
    energies = []
    for j, s in enumerate(states):
        under = [before[j + k] if 0 <= j + k < len(states) else 0 for k in range(-middle, middle + 1)]
        features = p["project_features"] @ (filters @ under)
        energies.append(p["v"] @ np.tanh(p["project_query"] @ q + p["project_memory"] @ s + features))
    return [energies]


def coverage(p, q, states, past, fertility=None):
    energies = []
    for j, s in enumerate(states):
        spent = sum(weights[j] for weights in past)
        if fertility is not None:
            spent /= fertility / (1 + np.exp(-p["project_fertility"][0] @ s))
        energies.append(p["v"] @ np.tanh(p["project_query"] @ q + p["project_memory"] @ s + p["w"] * spent))
    return [energies]


def multihead(p, q, states, past):
    queries, keys = np.split(p["project_query"] @ q, 2), np.split(states @ p["project_memory"].T, 2, axis=1)
    return [key @ query / len(query) ** 0.5 for query, key in zip(queries, keys, strict=True)]


def everywhere(p, q, length, t):
    return np.ones(length)


def monotonic(p, q, length, t, width):
    centre = min(t, length)
    return np.array([float(centre - width <= s <= centre + width) for s in range(1, length + 1)])


def predictive(p, q, length, t, width):
    centre = length / (1 + np.exp(-p["window.v"] @ np.tanh(p["window.project_query"] @ q)))
    sigma = width / 2
    inside = [float(centre - width <= s <= centre + width) for s in range(1, length + 1)]
    return np.array([inside[s - 1] * np.exp(-((s - centre) ** 2) / (2 * sigma**2)) for s in range(1, length + 1)])


# Name: how to make it of a decoder state of width 4, the width of the encoder states, the equation.
SCORES = {
    "additive": (partial(AdditiveAttention, hidden_size=5), 6, additive),
    "normalised additive": (partial(NormalisedAdditiveAttention, hidden_size=5), 6, normalised_additive),
    "dot": (DotAttention, 4, dot),
    "scaled dot": (ScaledDotAttention, 4, scaled_dot),
    "general": (GeneralAttention, 6, general),
    "concat": (ConcatAttention, 6, concat),
    "location": (partial(LocationAttention, max_length=8), 6, location),
    "location of short sentences": (partial(LocationAttention, max_length=5), 6, location),
    "location-sensitive": (
        partial(LocationSensitiveAttention, hidden_size=5, filters=3, filter_width=3),
        6,
        location_sensitive,
    ),
    "coverage": (partial(CoverageAttention, hidden_size=5), 6, coverage),
    "coverage with fertility": (
        partial(CoverageAttention, hidden_size=5, fertility=2.5),
        6,
        partial(coverage, fertility=2.5),
    ),
    "multi-head": (partial(MultiHeadAttention, heads=2), 6, multihead),
}
WINDOWS = {
    "global": (GlobalWindow, everywhere),
    "local-m of 1": (partial(LocalMonotonicWindow, width=1), partial(monotonic, width=1)),
    "local-m of 2": (partial(LocalMonotonicWindow, width=2), partial(monotonic, width=2)),
    "local-p of 1": (partial(LocalPredictiveWindow, width=1), partial(predictive, width=1)),
    "local-p of 2.5": (partial(LocalPredictiveWindow, width=2.5), partial(predictive, width=2.5)),
}


def look(score, window, module, query, states, past):
    """What one query sees: context (D,), weights (n,), after the positions in ``past``."""
    p = {name.removesuffix(".weight"): tensor.numpy() for name, tensor in module.state_dict().items()}
    factor = WINDOWS[window][1](p, query, len(states), len(past) + 1)
    heads = [np.exp(energy) * factor for energy in SCORES[score][2](p, query, states, past)]
    weights = [head / head.sum() for head in heads]
    if score != "multi-head":
        return weights[0] @ states, weights[0]
    values = np.split(states @ p["project_values"].T, len(heads), axis=1)
    seen = [weight @ value for weight, value in zip(weights, values, strict=True)]
    return p["project_context"] @ np.concatenate(seen), np.mean(weights, axis=0)
