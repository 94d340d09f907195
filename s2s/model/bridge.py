"""Bridges: from what the encoder saw last to the decoder's first state."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from s2s.errors import InputError
from s2s.model.decoder import Decoder
from s2s.model.encoder import Encoded, Encoder, NoEncoder
from s2s.model.product import Linear
from s2s.model.recurrent import RecurrentState

__all__ = ["Bridge", "CopyBridge", "LinearBridge", "MeanBridge", "ZeroBridge"]


class Bridge(nn.Module, ABC):
    """Make the decoder's first state, parts of (B, L, H).

    Args:
        encoder: what it comes from, final state parts of (B, L_encoder, D).
        decoder: what it is for.
    """

    def __init__(self, encoder: Encoder | NoEncoder, *, decoder: Decoder) -> None:
        super().__init__()
        self.num_layers = decoder.num_layers
        self.hidden_size = decoder.hidden_size
        self.state_parts = decoder.state_parts
        # Top meets top; where the encoder is shallower, its lowest layer serves the rest.
        self.layers = [max(0, encoder.num_layers - decoder.num_layers + layer) for layer in range(decoder.num_layers)]
        # A decoder with more state parts than the encoder takes them all from the encoder's h.
        self.parts = [part if part < encoder.state_parts else 0 for part in range(decoder.state_parts)]

    def taken(self, final: Tensor) -> Tensor:
        """The encoder layers that the decoder's come from: (B, L_encoder, D) -> (B, L, D)."""
        return torch.stack([final[:, layer] for layer in self.layers], dim=1)

    @abstractmethod
    def forward(self, encoded: Encoded) -> RecurrentState:
        """Encoded -> parts of (B, L, H)."""


class ZeroBridge(Bridge):
    """Start from zeros: what the decoder needs to know comes by attention."""

    def __init__(self, encoder: Encoder | NoEncoder, *, decoder: Decoder) -> None:
        super().__init__(encoder, decoder=decoder)
        if encoder.output_size and not (decoder.attention.context_size or decoder.reads_summary):
            raise InputError(
                "with the zero bridge and no attention the decoder would know nothing of the source; use "
                "model/bridge=linear or another model/attention"
            )

    def forward(self, encoded: Encoded) -> RecurrentState:
        """Encoded -> parts of (B, L, H)."""
        zeros = encoded.values.new_zeros(encoded.values.shape[0], self.num_layers, self.hidden_size)
        return (zeros,) * self.state_parts


class CopyBridge(Bridge):
    """Start from the encoder's final state as it is (Sutskever, Vinyals & Le 2014; Luong, Pham & Manning 2015)."""

    def __init__(self, encoder: Encoder | NoEncoder, *, decoder: Decoder) -> None:
        super().__init__(encoder, decoder=decoder)
        if encoder.output_size != decoder.hidden_size:
            raise InputError(
                f"the copy bridge needs encoder and decoder states of one width, got {encoder.output_size} and "
                f"{decoder.hidden_size}; use model/bridge=linear or set model.encoder_size"
            )

    def forward(self, encoded: Encoded) -> RecurrentState:
        """Encoded -> parts of (B, L, H)."""
        return tuple(self.taken(encoded.final[part]) for part in self.parts)


class LinearBridge(Bridge):
    """Start from a learnt map of the encoder's final state, ``tanh(W s + b)`` for h (Bahdanau et al. 2015, A.2.2).

    The LSTM's cell is not bounded, so its map has no tanh. Both reading directions are mapped, not the backward alone.
    """

    def __init__(self, encoder: Encoder | NoEncoder, *, decoder: Decoder) -> None:
        super().__init__(encoder, decoder=decoder)
        self.maps = nn.ModuleList(Linear(encoder.output_size, decoder.hidden_size) for _ in self.parts)

    def forward(self, encoded: Encoded) -> RecurrentState:
        """Encoded -> parts of (B, L, H)."""
        mapped: list[Tensor] = [
            project(self.taken(encoded.final[part])) for project, part in zip(self.maps, self.parts, strict=True)
        ]
        return (torch.tanh(mapped[0]), *mapped[1:])


class MeanBridge(Bridge):
    """Start from a learnt map of the mean encoder state, ``tanh(W mean(h) + b)`` (Sennrich et al. 2017, Nematus, 3).

    Every layer has a map of its own; the LSTM's cell is not bounded, so its map has no tanh.
    """

    def __init__(self, encoder: Encoder | NoEncoder, *, decoder: Decoder) -> None:
        super().__init__(encoder, decoder=decoder)
        width = decoder.num_layers * decoder.hidden_size
        self.maps = nn.ModuleList(Linear(encoder.output_size, width) for _ in self.parts)

    def forward(self, encoded: Encoded) -> RecurrentState:
        """Encoded -> parts of (B, L, H)."""
        mean = encoded.values.sum(dim=1) / encoded.mask.sum(dim=1, keepdim=True)  # states of padding are zero
        mapped: list[Tensor] = [project(mean).unflatten(-1, (self.num_layers, -1)) for project in self.maps]
        return (torch.tanh(mapped[0]), *mapped[1:])
