"""The format of run folders: what this release writes, what it reads, and how an older one is brought up to date.

A release that changes what a run holds raises ``FORMAT`` by one and adds the step to ``MIGRATIONS``; a run that an
older release wrote is then read as if it had been written anew, and tests/fixtures keeps one of each.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from s2s.errors import InputError
from s2s.run_files import is_clean, read_bounded

__all__ = ["FORMAT", "read_config", "with_format"]

FORMAT = 2


def _with_trackers(config: dict[str, Any]) -> dict[str, Any]:
    """TensorBoard is one of several trackers since format 2."""
    training = dict(config["training"])
    training["trackers"] = ["tensorboard"] if training.pop("tensorboard", False) is True else []
    return {**config, "training": training}


# From a format to the next: what is the configuration of the one -> that of the other.
MIGRATIONS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _with_trackers}

MOST_BYTES, DEEPEST, LONGEST = 1 << 17, 16, 4096
PARTS = ("data", "model", "search", "tokenizer", "training", "optimizer", "scheduler", "scheduled_sampling")
OTHER_KINDS = {"seed": (int,), "device": (str, type(None)), "init": (str, type(None))}
KINDS = {int: "a whole number", str: "a name"}


def with_format(config: DictConfig) -> DictConfig:
    """The configuration of a new run, which says what format the run has."""
    return OmegaConf.merge({"format": FORMAT}, config)  # type: ignore[return-value]


def read_config(path: Path) -> DictConfig:
    """Read the configuration of a run, of this format or an older one; one that does not say is of the first.

    It is resolved when it is saved, so it holds no reference: none can reach the environment or a file.

    Raises:
        InputError: it is damaged, or holds what no run's configuration does, or is of a format yet to come.
    """
    try:
        text = read_bounded(path, MOST_BYTES).decode("utf-8")
        _check_events(text, path)
        loaded = OmegaConf.to_container(OmegaConf.load(io.StringIO(text)))
    except InputError:
        raise
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, OSError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be read ({reason}); expected YAML, copy the run folder again") from error
    if not isinstance(loaded, dict):
        raise InputError(f"{path} is no run's configuration: it has no options; copy the run again")
    if missing := [name for name in (*PARTS, "seed") if name not in loaded]:
        raise InputError(f"{path} is no run's configuration: it has no {missing[0]}; copy the run again")
    for name in PARTS:
        if not isinstance(loaded[name], dict):
            raise InputError(f"{path}: {name} is {loaded[name]!r:.40}, expected options; copy the run again")
    for name, kinds in OTHER_KINDS.items():
        if name in loaded and type(loaded[name]) not in kinds:
            raise InputError(f"{path}: {name} is {loaded[name]!r:.40}, expected {KINDS[kinds[0]]}; copy the run again")
    return OmegaConf.create(_brought_up({str(key): value for key, value in loaded.items()}, path))


def _brought_up(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """The configuration in today's format."""
    written = config.get("format", 1)
    if type(written) is not int or not 1 <= written <= FORMAT:
        raise InputError(
            f"{path} is of run format {written!r:.40}, and this release reads 1 to {FORMAT}; install a later release "
            "of s2s to use the run"
        )
    for number in range(written, FORMAT):
        config = MIGRATIONS[number](config)
    return {**config, "format": FORMAT}


def _check_events(text: str, path: Path) -> None:
    """Raise an InputError for YAML that grows when it is read, makes objects or refers to something outside.

    It looks at one event of the parser after the other, before anything is made of them.
    """
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        value = event.value if isinstance(event, yaml.ScalarEvent) else ""
        for found, what in (
            (isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None), "an alias (& or *)"),
            (getattr(event, "tag", None), "a tag (!)"),
            (depth > DEEPEST, f"more than {DEEPEST} levels"),
            (len(value) > LONGEST, f"a value of more than {LONGEST:,} letters"),
            (not is_clean(value), "a character that controls a terminal"),
            ("${" in value or value == "???", "a value that is not resolved (${ or ???)"),
        ):
            if found:
                line = event.start_mark.line + 1
                raise InputError(f"{path}, line {line} has {what}, as no run's configuration has; copy the run again")
