"""Sentence pairs from files, saved folders or the hub, always as one dataset with the columns source and target.

A split is found as `train.de` + `train.en`, `train.tsv`, `train.jsonl` (or `.json`), `train.parquet` (or its shards),
each in the folder or its `data/`, as a folder written by `save_to_disk`, or under a name of the hub.
Text may be gzipped. Rows keep the order of the file; none is dropped and none is normalised.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2s.errors import InputError
from s2s.text.loading import (
    SHARD,
    TABLES,
    Files,
    is_saved,
    load_hub,
    read_files,
    saved_state,
    select_pairs,
    stream_files,
    table_suffix,
)
from s2s.text.reading import (
    Languages,
    listing,
    missing_path,
    read_lines,
)
from s2s.text.streaming import PairStream

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["Corpus"]

SYNONYMS = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "eval"),
}
HUB_NOTES = ("dataset_info", "dataset_infos", "dataset_dict")


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Where the sentence pairs of two languages lie.

    Args:
        source: code of the source language: suffix of its text files, name of its column.
        target: code of the target language.
        label: short name of the corpus, used for runs.
        path: local folder or file; with `name`, it stands in for the hub's copy.
        name: name of a dataset on the hub.
        config: configuration of the hub's dataset; in a local copy, the folder of that name where there is one.
        revision: commit, branch or tag of the hub's dataset.
        train, valid, test: a split's own file, or its two aligned text files, relative to `path` or absolute;
            they go before whatever else the corpus holds under that split's names.
        limit: use this many training pairs, the first ones; None for all.
        extra: more training pairs, such as back-translations (Sennrich, Haddow & Birch 2016), as file or files; unlike
            those of splits, names count from the folder one works in, where translations are written.
        extra_tag: a word that each of their sources begins with (Caswell, Chelba & Grangier 2019).
        streaming: read the training pairs anew every epoch, rather than keep a copy with their ids on the disk.
        shuffle_buffer: pairs of a stream that are shuffled, and planned, together.
        workers: processes, beside each that trains, that read and cut the stream.

    Raises:
        InputError: no pair to shuffle, fewer than no worker, or what does not go with a stream.
    """

    source: str
    target: str
    label: str
    path: str | None = None
    name: str | None = None
    config: str | None = None
    revision: str | None = None
    train: str | list[str] | None = None
    valid: str | list[str] | None = None
    test: str | list[str] | None = None
    limit: int | None = None
    extra: str | list[str] | None = None
    extra_tag: str | None = None
    streaming: bool = False
    shuffle_buffer: int = 100_000
    workers: int = 1

    def __post_init__(self) -> None:
        if self.shuffle_buffer < 1 or self.workers < 0:
            raise InputError(
                f"data.shuffle_buffer={self.shuffle_buffer} data.workers={self.workers} read nothing; give 1 or more "
                "pairs, and workers from 0"
            )
        for name in ("limit", "extra"):
            if self.streaming and (given := getattr(self, name)) is not None:
                raise InputError(
                    f"data.{name}={given} does not go with data.streaming=true, which reads one corpus to its end; "
                    "leave one of them out"
                )

    @property
    def language(self) -> str:
        """The language that translations are in."""
        return self.target

    @property
    def languages(self) -> str:
        """Both in words."""
        return f"{self.source} to {self.target}"

    def splits(self) -> list[str]:
        """Name the splits that exist: train, valid, test (whichever synonym the corpus uses), then the others."""
        given = [split for split in SYNONYMS if getattr(self, split) is not None]
        return offered([split for split in self._find() if usual_name(split) not in given] + given)

    def load(self, split: str) -> Dataset:
        """Load one split as rows of `source` and `target`, both strings, in the order of the file.

        Raises:
            InputError: the split, a file, a column or a cell is missing or malformed.
        """
        if not sys.stderr.isatty():
            import datasets

            datasets.disable_progress_bars()  # in a log file they are noise
        place, languages = self._place(split), (self.source, self.target)
        if isinstance(place, tuple):
            pairs = read_files(place, languages)
        elif self.streaming:
            pairs = self.stream(split).loaded()
        else:
            pairs = select_pairs(place, f"split {split!r} of {self.name}", languages)
        most = self.most_pairs(split)
        return pairs if most is None else pairs.select(range(min(most, len(pairs))))

    def stream(self, split: str) -> PairStream:
        """Go through one split, row by row, without loading it.

        Raises:
            InputError: as ``load`` does; what is wrong with a row shows when it is read.
        """
        place, languages = self._place(split), (self.source, self.target)
        if isinstance(place, tuple):
            return stream_files(place, languages)
        return PairStream(place, f"split {split!r} of {self.name}", languages)

    def most_pairs(self, split: str) -> int | None:
        """How many pairs of a split are used, the first ones; None for all.

        Raises:
            InputError: a limit that leaves none.
        """
        if self.limit is None or usual_name(split) != "train":
            return None
        if self.limit < 1:
            raise InputError(f"data.limit={self.limit} leaves no pair to train on; give 1 or more, or null for all")
        return self.limit

    def files(self, split: str) -> Files | None:
        """Find the files that a split, or ``extra``, lies in; None where it is the hub's.

        Raises:
            InputError: there is no such split or file, or several forms of one.
        """
        place = self._explicit("extra") if split == "extra" and self.extra is not None else self._place(split)
        return place if isinstance(place, tuple) else None

    def _place(self, split: str) -> Any:
        """Find where one split is: its files, or the hub's dataset."""
        usual = usual_name(split)
        if usual in SYNONYMS and getattr(self, usual) is not None:
            return self._explicit(usual)
        found = self._find()
        chosen = self._choose(split, list(found))
        candidates = found[chosen]
        if not isinstance(candidates, list):
            return candidates
        if len(candidates) > 1:
            forms = " or ".join("+".join(file.name for file in files) for files in candidates)
            raise InputError(f"split {chosen!r} of {self.path} could be {forms}, expected one form; remove the other")
        return candidates[0]

    def load_extra(self) -> Dataset | None:
        """Load the extra training pairs, tagged where they shall be; None where there are none."""
        if self.extra is None:
            if self.extra_tag:
                raise InputError(f"data.extra_tag={self.extra_tag} has no pairs to mark; give data.extra=, or leave it")
            return None
        pairs, tag = read_files(self._explicit("extra"), (self.source, self.target)), self.extra_tag
        return pairs.map(lambda row: {"source": f"{tag} {row['source']}"}) if tag else pairs

    def alignments(self, split: str) -> list[str] | None:
        """Read the gold word alignment of a split, `{split}.{source}-{target}.align` in `path`; None without one."""
        file = Path(self.path or "") / f"{split}.{self.source}-{self.target}.align"
        if not self.path or not file.is_file():
            return None
        return list(islice(read_lines(file), self.limit if usual_name(split) == "train" else None))

    def _find(self) -> dict[str, Any]:
        """Find the splits besides the explicit files: each with its candidate files, or with the hub's dataset."""
        if self.path is not None:
            return find_splits(Path(self.path).expanduser(), self.config, (self.source, self.target))
        if self.name is not None:
            return load_hub(self.name, self.config, self.revision, **({"streaming": True} if self.streaming else {}))
        if any(getattr(self, split) is not None for split in SYNONYMS):
            return {}
        raise InputError(
            "data.path and data.name are both missing, expected one; set data.path=FOLDER or data.name=HUB/NAME"
        )

    def _choose(self, split: str, names: list[str]) -> str:
        """Find the name under which the corpus keeps a split: the same name, or else its only synonym."""
        same = [split] if split in names else [name for name in names if usual_name(name) == usual_name(split)]
        if len(same) == 1:
            return same[0]
        place = self.path or self.name or "the files given"
        if same:
            raise InputError(
                f"split {split!r} of {place} could be {' or '.join(same)}, expected one; ask for it by name"
            )
        given = [name for name in SYNONYMS if getattr(self, name) is not None]
        forms = f"{split}.{self.source} + {split}.{self.target}, {split}.tsv, {split}.jsonl or {split}.parquet"
        holds = f"; {place} holds: {listing(Path(place).expanduser())}" if self.path else ""
        exist = ", ".join(offered([*names, *given])) or "none"
        raise InputError(
            f"no split {split!r} in {place}, splits: {exist}; add {forms}, or ask for another split{holds}"
        )

    def _explicit(self, split: str) -> Files:
        """Resolve the file or the two files given for a split by name."""
        given = getattr(self, split)
        folder = Path("." if split == "extra" else self.path or ".").expanduser()
        folder = folder.parent if folder.is_file() else folder
        files = tuple(folder / Path(name).expanduser() for name in ([given] if isinstance(given, str) else given))
        tables = [file for file in files if is_saved(file) or table_suffix(file)]
        if len(files) != 2 - len(tables):
            raise InputError(
                f"data.{split}={given} is neither one file ending in {', '.join(TABLES)} nor two aligned text files; "
                f"give data.{split}=FILE or data.{split}=[FILE.{self.source},FILE.{self.target}]"
            )
        for file in files:
            if not file.exists():
                raise missing_path(file, f"data.{split}")
        return files


def usual_name(split: str) -> str:
    """Name a split the usual way: train, valid or test for their synonyms, any other as it is."""
    return next((usual for usual, names in SYNONYMS.items() if split in names), split)


def offered(splits: list[str]) -> list[str]:
    """List splits, under their usual names where no two share one: train, valid, test, then the others."""
    usual = [usual_name(split) for split in splits]
    names = {short if usual.count(short) == 1 else split for short, split in zip(usual, splits, strict=True)}
    return [split for split in SYNONYMS if split in names] + sorted(names - set(SYNONYMS))


def find_splits(path: Path, config: str | None, languages: Languages) -> dict[str, list[Files]]:
    """Find the splits of a local file or folder, each with the sets of files that could be meant by it."""
    if not path.exists():
        raise missing_path(path, "data.path")
    if path.is_file():
        if not table_suffix(path):
            raise InputError(
                f"data.path: {path} is a file, expected {', '.join(TABLES)} or a folder; give the folder it lies in"
            )
        split = SHARD.sub("", path.name.removesuffix(".gz").removesuffix(table_suffix(path)))
        return {split if usual_name(split) in SYNONYMS else "train": [(path,)]}
    root = path / config if config and (path / config).is_dir() else path
    if is_saved(root):
        return {str(saved_state(root).get("_split") or "train"): [(root,)]}
    found: dict[str, list[Files]] = defaultdict(list)
    for folder in (root, root / "data"):
        if folder.is_dir():
            for split, files in scan(folder, languages):
                found[split].append(files)
    return dict(found)


def scan(folder: Path, languages: Languages) -> Iterator[tuple[str, Files]]:
    """Yield each split of one folder with its file, its shards, its two text files or its saved folder."""
    sides: dict[tuple[str, str], list[Path]] = defaultdict(list)
    shards: dict[str, list[Path]] = defaultdict(list)
    for entry in sorted(folder.iterdir()):
        suffix, name = table_suffix(entry), entry.name.removesuffix(".gz")
        stem = name.removesuffix(suffix)
        if entry.is_dir():
            if is_saved(entry):
                yield entry.name, (entry,)
        elif suffix == ".parquet" and SHARD.search(stem):
            shards[SHARD.sub("", stem)].append(entry)
        elif suffix and stem not in HUB_NOTES:
            yield stem, (entry,)
        else:
            for language in dict.fromkeys(languages):
                if name.endswith(f".{language}"):
                    sides[name.removesuffix(f".{language}"), language].append(entry)
    for split, files in shards.items():
        yield split, tuple(files)
    for split in dict.fromkeys(split for split, _ in sides):
        for source in sides.get((split, languages[0]), []):
            for target in sides.get((split, languages[1]), []):
                yield split, (source, target)
