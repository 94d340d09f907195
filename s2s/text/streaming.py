"""Pairs as a stream: read one after another, and never all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2s.errors import InputError
from s2s.text.reading import Languages, check_cell, empty, first_line, missing_column

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

__all__ = ["PairStream", "Pairs"]

PAIRS_READ = 1000

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class PairStream:
    """The pairs of one split, to be gone through as often as they are wanted.

    Args:
        rows: of a table that has both languages, flat or inside ``translation``.
        place: what errors call it.
        languages: the columns.
    """

    rows: IterableDataset
    place: str
    languages: Languages

    def read(
        self, *, reader: int = 0, readers: int = 1, order: int = 0, state: Any = None, at_once: int = PAIRS_READ
    ) -> Iterator[tuple[Pairs, Any]]:
        """Yield one reader's pairs, some at a time, and with them where it stands after them.

        Args:
            reader: number of this reader.
            readers: how many there are; each pair is read by one. Where files, or shards, cannot be dealt out evenly,
                rows are, which each of them then looks at.
            order: in which shards are read; 0 is that of the files.
            state: where to go on.
            at_once: how many pairs.

        Raises:
            InputError: a row that is no pair of texts, a file that cannot be read, or no pair at all.
        """
        from datasets.distributed import split_dataset_by_node
        from datasets.exceptions import DatasetsError

        rows = split_dataset_by_node(self.rows, reader, readers)
        rows.set_epoch(order)
        if state is not None:
            rows.load_state_dict(state)
        try:
            for batch in rows.iter(at_once):
                yield self._pairs(batch), rows.state_dict()
        except InputError:
            raise
        except (OSError, ValueError, DatasetsError) as error:
            raise InputError(f"{self.place}: cannot be read ({first_line(error)}); check what it holds") from error

    def first(self, most: int) -> Iterator[tuple[str, str]]:
        """Yield the first pairs."""
        left = most
        for pairs, _ in self.read(at_once=min(most, PAIRS_READ)):
            yield from pairs[:left]
            left -= len(pairs)
            if left <= 0:
                return
        if left == most:
            raise empty(self.place)

    def loaded(self) -> Dataset:
        """All pairs, in memory, as of a split to validate or to test on."""
        import datasets

        pairs = [pair for some, _ in self.read() for pair in some]
        if not pairs:
            raise empty(self.place)
        sources, targets = zip(*pairs, strict=True)
        return datasets.Dataset.from_dict({"source": sources, "target": targets})

    def _pairs(self, batch: dict[str, list[Any]]) -> Pairs:
        """The pairs of some rows, given as columns."""
        if not set(self.languages) <= set(batch) and "translation" in batch:
            rows = [row or {} for row in batch["translation"]]
            batch = {language: [row.get(language) for row in rows] for language in self.languages}
        for language in self.languages:
            if language not in batch:
                raise missing_column(self.place, language, batch)
            for cell in batch[language]:
                check_cell(cell, self.place, language)
        return list(zip(*(batch[language] for language in self.languages), strict=True))
