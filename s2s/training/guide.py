"""Where people or another aligner say that attention should go: links between words as weights between pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from s2s.report.alignment import read_links
from s2s.report.words import spread_links
from s2s.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["Guide"]


@dataclass(frozen=True)
class Guide:
    """Word links of the training pairs, row by row.

    Args:
        links: a line for each pair, as `read_links` reads them.
        sources, targets: the pairs as text.
        source, target: their tokenizers.
    """

    links: Sequence[str]
    sources: Sequence[str]
    targets: Sequence[str]
    source: Tokenizer
    target: Tokenizer

    @classmethod
    def of(cls, train: "Dataset", source: Tokenizer, target: Tokenizer) -> "Guide":
        """Take the columns ``links``, ``source`` and ``target`` of the training pairs."""
        return cls(list(train["links"]), list(train["source"]), list(train["target"]), source, target)

    def batch(self, rows: Sequence[int]) -> Tensor:
        """What attention should be for the pairs of a batch, (B, T, S) float32, zeros on padding."""
        guides = [self._pair(row) for row in rows]
        padded = np.zeros((len(guides), *np.max([guide.shape for guide in guides], axis=0)), dtype=np.float32)
        for index, guide in enumerate(guides):
            padded[index, : guide.shape[0], : guide.shape[1]] = guide
        return torch.from_numpy(padded)

    def _pair(self, row: int) -> np.ndarray:
        """What attention should be for one pair, (T, S); possible links count where a target word has no sure one."""
        sure, possible = read_links(self.links[row])
        surely_linked = {target for _, target in sure}
        links = sure | {link for link in possible if link[1] not in surely_linked}
        return spread_links(links, self.source.pieces(self.sources[row]), self.target.pieces(self.targets[row]))
