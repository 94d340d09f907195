"""What goes on inside a model while it reads and writes one sentence: its cells, and what makes up its attention.

A forward hook looks on; the model neither knows of it nor computes anything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from s2s.model.attention import Attention
from s2s.model.recurrent import Recurrent

__all__ = ["CellUpdate", "recorded_attention", "recorded_cells"]


@dataclass(frozen=True)
class CellUpdate:
    """One layer at one position: where it stands in the model, and all that its cell held, (N, H) each, by name."""

    recurrent: str
    layer: int
    reverse: bool
    activations: dict[str, Tensor]


@contextmanager
def recorded_cells(model: nn.Module) -> Iterator[list[CellUpdate]]:
    """Note every update of every recurrent layer in the block, in the order in which they happen.

    Fused cells are read by the equations of their reference cell, which are the same function, and whole sequences one
    position after another; so sentences need to be of one length, and one at a time is best.
    """
    updates: list[CellUpdate] = []

    def hook(path: str, recurrent: Recurrent) -> Any:
        places = {
            weights: (layer, direction)
            for layer in range(recurrent.num_layers)
            for direction in range(recurrent.directions)
            for weights in [id(recurrent.layer_weights(layer, direction)[0])]
        }

        def note(_: nn.Module, inputs: Any, __: Any) -> None:
            layer, direction = places[id(inputs[3][0])]
            updates.append(CellUpdate(path, layer, direction == 1, recurrent.activations(*inputs)))

        return recurrent.register_forward_hook(note)

    handles = [hook(path, module) for path, module in model.named_modules() if isinstance(module, Recurrent)]
    try:
        yield updates
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def recorded_attention(attention: Attention) -> Iterator[dict[str, Tensor]]:
    """Note what goes into the weights of every query in the block, ``Attention.parts``: by name (T, S), T queries.

    The block is for one sentence. The dictionary is filled when the block has ended.
    """
    looks: list[dict[str, Tensor]] = []
    together: dict[str, Tensor] = {}
    handle = attention.register_forward_hook(lambda module, inputs, _: looks.append(module.parts(*inputs)))
    try:
        yield together
    finally:
        handle.remove()
    together |= {name: torch.cat([look[name] for look in looks]) for name in (looks[0] if looks else ())}
