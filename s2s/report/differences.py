"""What the configurations of several runs differ in, in as few words as tell them apart."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["differing_options", "flat_options"]

Options = dict[str, Any]

# Where a run ran and what it drew is told only of runs that nothing else tells apart.
SAID_LAST = (
    "seed",
    "data.name",
    "data.path",
    "data.train",
    "data.valid",
    "data.test",
    "device",
    "training.keep_checkpoints",
    "training.trackers",
)
NEVER_SAID = {"name", "runs_dir", "resume", "sizes", "hydra", "format"}


def differing_options(
    configurations: Sequence[Mapping[str, Any]], choices: Mapping[str, str] | None = None
) -> list[dict[str, str]]:
    """Find the options that are not the same in all configurations: one dict each, of the options it has.

    A part of the model goes by its choice, ``rnn=gru``; options that only another choice has are no difference. Keys
    are as short as can be without meaning two options: ``num_layers``, ``scheduler.patience``.

    Args:
        configurations: nested, as ``config.yaml`` holds them.
        choices: ``_target_`` -> its name; without one it goes by its class, ``s2s.model.kernel_cells.GRU`` by ``gru``.
    """
    runs = [dict(flat_options(configuration, choices or {})) for configuration in configurations]
    keys = list(dict.fromkeys(key for run in runs for key in run))
    differing = [key for key in keys if any(run.get(key) != runs[0].get(key) for run in runs)]
    differing = [key for key in differing if not _follows_from_a_choice(key, differing, runs)]
    said = [key for key in differing if key not in SAID_LAST]
    for key in SAID_LAST:
        if len({json.dumps([run.get(key) for key in said]) for run in runs}) == len(runs):
            break
        said += [key] if key in differing else []
    names = {key: _shortest(key, keys) for key in said}
    return [{names[key]: _word(run[key]) for key in said if key in run} for run in runs]


def flat_options(node: Mapping[str, Any], choices: Mapping[str, str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every option under its dotted path; a part that is built stands under its own path by the name of its class."""
    for key, value in node.items():
        path = f"{prefix}{key}"
        if path in NEVER_SAID or key in ("_target_", "_partial_"):
            continue
        if isinstance(value, Mapping):
            if "_target_" in value:
                target = str(value["_target_"])
                yield path, choices.get(target) or _class_word(path, target)
            yield from flat_options(value, choices, f"{path}.")
        else:
            yield path, value


def _follows_from_a_choice(key: str, differing: list[str], runs: list[Options]) -> bool:
    """Whether some runs lack an option only because they chose another part."""
    parts = key.split(".")
    parents = {".".join(parts[:length]) for length in range(1, len(parts))}
    return bool(parents & set(differing)) and any(key not in run for run in runs)


def _shortest(key: str, keys: list[str]) -> str:
    """The last parts of a path, as many as no other path ends in."""
    parts = key.split(".")
    for start in reversed(range(len(parts))):
        name = ".".join(parts[start:])
        if sum(f".{other}".endswith(f".{name}") for other in keys) == 1:
            return name
    return key


def _word(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _class_word(key: str, target: str) -> str:
    """A class by the word that tells it from its like: ``attention``, ``….ScaledDotAttention`` -> ``scaled_dot``."""
    name = target.rpartition(".")[2]
    kind = key.rpartition(".")[2].title().replace("_", "")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.removesuffix(kind) or name).lower()
