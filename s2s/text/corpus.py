"""Sentence pairs from files, saved folders or the hub, always as one dataset with the columns source and target.

A split is found as `train.de` + `train.en`, `train.tsv`, `train.jsonl` (or `.json`), `train.parquet` (or its shards),
each in the folder or its `data/`, as a folder written by `save_to_disk`, or under a name of the hub.
Text may be gzipped. Rows keep the order of the file; none is dropped and none is normalised.
"""

from __future__ import annotations

import glob
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2s.errors import InputError
from s2s.text.reading import (
    Languages,
    check_cell,
    empty,
    first_line,
    listing,
    missing_column,
    missing_path,
    read_aligned,
    read_json_lines,
    read_lines,
    read_tsv,
)

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["Corpus"]

Files = tuple[Path, ...]

SYNONYMS = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "eval"),
}
TABLES = (".tsv", ".jsonl", ".json", ".parquet")
HUB_NOTES = ("dataset_info", "dataset_infos", "dataset_dict")
SHARD = re.compile(r"-\d{5}-of-(\d{5})(?:-[0-9a-f]+)?$")
# Part of the cache key, because datasets hashes a generator by its name only: raise it when a file reads differently.
READER_VERSION = 1


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
        pairs = self._load(split, (self.source, self.target))
        if self.limit is None or usual_name(split) != "train":
            return pairs
        if self.limit < 1:
            raise InputError(f"data.limit={self.limit} leaves no pair to train on; give 1 or more, or null for all")
        return pairs.select(range(min(self.limit, len(pairs))))

    def _load(self, split: str, languages: Languages) -> Dataset:
        """Load one split whole."""
        usual = usual_name(split)
        if usual in SYNONYMS and getattr(self, usual) is not None:
            return read_files(self._explicit(usual), languages)
        found = self._find()
        chosen = self._choose(split, list(found))
        candidates = found[chosen]
        if not isinstance(candidates, list):
            return select_pairs(candidates, f"split {chosen!r} of {self.name}", languages)
        if len(candidates) > 1:
            forms = " or ".join("+".join(file.name for file in files) for files in candidates)
            raise InputError(f"split {chosen!r} of {self.path} could be {forms}, expected one form; remove the other")
        return read_files(candidates[0], languages)

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
            return load_hub(self.name, self.config, self.revision)
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


def table_suffix(file: Path) -> str:
    """Tell a file that holds both languages by its suffix, without `.gz`; empty for a text file."""
    name = file.name.removesuffix(".gz")
    return next((suffix for suffix in TABLES if name.endswith(suffix)), "")


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


def is_saved(folder: Path) -> bool:
    """Whether `Dataset.save_to_disk` wrote this folder."""
    return (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()


def saved_state(folder: Path) -> dict[str, Any]:
    """Read what `save_to_disk` noted of a dataset: its split and its files."""
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{folder / 'state.json'}: not JSON ({error}), expected what save_to_disk wrote; save again"
        ) from error
    return state


def load_hub(name: str, config: str | None, revision: str | None) -> dict[str, Dataset]:
    """Load every split of a dataset on the hub, or of its copy in the cache."""
    import datasets

    try:
        return dict(datasets.load_dataset(name, config, revision=revision))
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise InputError(
            f"data.name={name} (config {config}, revision {revision}) cannot be loaded: {first_line(error)}; "
            "expected a dataset the hub can be asked for; correct the name, or set data.path=FOLDER to use a local copy"
        ) from error


def read_files(files: Files, languages: Languages) -> Dataset:
    """Read one split from its table, its shards, its two text files or its saved folder."""
    import datasets

    if files[0].is_dir():
        return select_pairs(load_saved(files[0]), str(files[0]), languages)
    if table_suffix(files[0]) == ".parquet":
        return select_pairs(load_parquet(files), str(files[0]), languages)
    stamps = tuple((str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    text = datasets.Value("string")
    try:
        return datasets.Dataset.from_generator(
            generate_pairs,
            features=datasets.Features({"source": text, "target": text}),
            gen_kwargs={"stamps": stamps, "languages": languages, "version": READER_VERSION},
        )
    except datasets.exceptions.DatasetGenerationError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, InputError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise InputError(str(cause)) from None


def load_saved(folder: Path) -> Dataset:
    """Open a folder written by `Dataset.save_to_disk`."""
    import datasets

    if not saved_state(folder).get("_data_files"):
        raise empty(str(folder))
    try:
        return datasets.load_from_disk(str(folder))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: cannot be opened ({first_line(error)}), expected what save_to_disk wrote; save it again"
        ) from error


def load_parquet(files: Files) -> Dataset:
    """Read a Parquet file, or all shards of one split in order."""
    import datasets

    shard = SHARD.search(files[0].stem)
    if shard and len(files) != int(shard[1]):
        names = ", ".join(file.name for file in files)
        raise InputError(
            f"{files[0].parent} holds {len(files)} shards ({names}), expected {int(shard[1])}; fetch them all"
        )
    try:
        return datasets.Dataset.from_parquet([glob.escape(str(file.absolute())) for file in files])
    except (ValueError, datasets.exceptions.DatasetGenerationError) as error:
        if "corresponds to no data" in str(error):
            raise empty(str(files[0])) from None
        raise InputError(
            f"{files[0]}: cannot be read ({first_line(error.__cause__ or error)}), expected Parquet; write it again"
        ) from error


def select_pairs(dataset: Dataset, place: str, languages: Languages) -> Dataset:
    """Take the two languages of an Arrow dataset, flat or inside `translation`, as `source` and `target`."""
    import datasets

    if len(dataset) == 0:
        raise empty(place)
    if not set(languages) <= set(dataset.column_names) and "translation" in dataset.column_names:
        dataset = dataset.select_columns(["translation"]).flatten()
        dataset = dataset.rename_columns({name: name.removeprefix("translation.") for name in dataset.column_names})
        place += ", column translation"
    sides = []
    for language, side in zip(languages, ("source", "target"), strict=True):
        if language not in dataset.column_names:
            raise missing_column(place, language, dataset.column_names)
        cells = dataset.data.column(language)
        if cells.null_count:
            check_cell(None, f"{place}, row {cells.is_null().index(True).as_py() + 1}", language)
        kind = getattr(dataset.features[language], "dtype", "a nested column")
        if kind not in ("string", "large_string"):
            raise InputError(f"{place}: column {language!r} holds {kind}, expected string; convert it to text")
        column = dataset.select_columns([language]).rename_column(language, side)
        sides.append(column if kind == "string" else column.cast_column(side, datasets.Value("string")))
    return datasets.concatenate_datasets(sides, axis=1)


def generate_pairs(
    stamps: tuple[tuple[str, int, int], ...], languages: Languages, version: int
) -> Iterator[dict[str, str]]:
    """Yield the rows of a text split; sizes, times and version are there to change the cache key with the file."""
    files = [Path(path) for path, _, _ in stamps]
    if len(files) == 2:
        pairs = read_aligned(*files)
    else:
        pairs = (read_tsv if table_suffix(files[0]) == ".tsv" else read_json_lines)(files[0], languages)
    source = None
    for source, target in pairs:
        yield {"source": source, "target": target}
    if source is None:
        raise empty(" + ".join(str(file) for file in files))
