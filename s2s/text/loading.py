"""The pairs of one split as a dataset: from its table, its shards, its two text files, its saved folder or the hub."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2s.errors import InputError
from s2s.text.reading import (
    Languages,
    check_cell,
    empty,
    first_line,
    missing_column,
    read_aligned,
    read_json_lines,
    read_tsv,
)
from s2s.text.streaming import PairStream

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = [
    "HUB_NAME",
    "SHARD",
    "TABLES",
    "Files",
    "is_saved",
    "load_hub",
    "read_files",
    "saved_state",
    "select_pairs",
    "stream_files",
    "table_suffix",
]

Files = tuple[Path, ...]

TABLES = (".tsv", ".jsonl", ".json", ".parquet")
# The library takes other names for folders, or for readers of files, of which one runs what a pickle says.
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
SHARD = re.compile(r"-\d{5}-of-(\d{5})(?:-[0-9a-f]+)?$")
# Part of the cache key, because datasets hashes a generator by its name only: raise it when a file reads differently.
READER_VERSION = 1


def table_suffix(file: Path) -> str:
    """Tell a file that holds both languages by its suffix, without `.gz`; empty for a text file."""
    name = file.name.removesuffix(".gz")
    return next((suffix for suffix in TABLES if name.endswith(suffix)), "")


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


def load_hub(name: str, config: str | None, revision: str | None, **options: Any) -> dict[str, Any]:
    """Load every split of a dataset on the hub, or of its copy in the cache; a name leads to nothing else."""
    if not HUB_NAME.fullmatch(name) or Path(name).exists():
        raise InputError(
            f"data.name={name} is no name of the hub, expected owner/name; for files and folders set data.path=FOLDER"
        )
    import datasets

    try:
        return dict(datasets.load_dataset(name, config, revision=revision, **options))
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
    text = datasets.Value("string")
    try:
        return datasets.Dataset.from_generator(
            generate_pairs,
            features=datasets.Features({"source": text, "target": text}),
            gen_kwargs={"stamps": stamps(files), "languages": languages, "version": READER_VERSION},
        )
    except datasets.exceptions.DatasetGenerationError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, InputError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise InputError(str(cause)) from None


def stream_files(files: Files, languages: Languages) -> PairStream:
    """Go through one split without a copy of it."""
    import datasets

    place = " + ".join(str(file) for file in files)
    if files[0].is_dir():
        return PairStream(load_saved(files[0]).to_iterable_dataset(), place, languages)
    if table_suffix(files[0]) == ".parquet":
        names = {"train": escaped_shards(files)}
        rows = datasets.load_dataset("parquet", data_files=names, split="train", streaming=True)
        return PairStream(rows, str(files[0]), languages)
    told = {"stamps": stamps(files), "languages": languages, "version": READER_VERSION}
    rows = datasets.IterableDataset.from_generator(generate_pairs, gen_kwargs=told)
    return PairStream(rows, place, ("source", "target"))


def stamps(files: Files) -> tuple[tuple[str, int, int], ...]:
    """What tells a file from another, or from what it was before: where it is, its size and its time."""
    return tuple((str(file.absolute()), file.stat().st_size, file.stat().st_mtime_ns) for file in files)


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

    try:
        return datasets.Dataset.from_parquet(escaped_shards(files))
    except (ValueError, datasets.exceptions.DatasetGenerationError) as error:
        if "corresponds to no data" in str(error):
            raise empty(str(files[0])) from None
        raise InputError(
            f"{files[0]}: cannot be read ({first_line(error.__cause__ or error)}), expected Parquet; write it again"
        ) from error


def escaped_shards(files: Files) -> list[str]:
    """A Parquet file, or all shards of one split in order, as the library takes them.

    Raises:
        InputError: a shard is missing.
    """
    shard = SHARD.search(files[0].stem)
    if shard and len(files) != int(shard[1]):
        names = ", ".join(file.name for file in files)
        raise InputError(
            f"{files[0].parent} holds {len(files)} shards ({names}), expected {int(shard[1])}; fetch them all"
        )
    return [glob.escape(str(file.absolute())) for file in files]


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
