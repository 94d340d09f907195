"""Which classes each part of a configuration may name, and the objects that are made of it.

The configuration of a run may come from a stranger. What a node may name is what the files of its group in ``conf/``
name, and nothing else: a search can only be a search, a cell only a cell. So no name leads to other code, and none to a
class of this project that reads files where a model belongs.
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import hydra
from omegaconf import OmegaConf

from s2s.config import CONF
from s2s.errors import InputError

__all__ = ["build"]

# Where the files of a group do not lie in the folder of its name.
FILES = {"training": ("train.yaml",), "model": ("model/sizes/*.yaml", "model/lm.yaml")}
GREATEST = 2**63  # what torch and NumPy count with
BAD_VALUES = (TypeError, ValueError, ArithmeticError, RuntimeError)


def build(node: Any, group: str, **keywords: Any) -> Any:
    """Make the object a configuration node names; None stays None.

    Args:
        node: ``_target_`` and options; parts of it are nodes themselves.
        group: what it is, ``search`` or ``model/attention``, as the folder of conf/ is called that it comes from.
        keywords: options that no configuration has.

    Raises:
        InputError: a name that the group does not have, or options that what is named does not take.
    """
    if node is None:
        return None
    _check(OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node, group)
    try:
        return hydra.utils.instantiate(node, **keywords)
    except hydra.errors.InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        if isinstance(cause, BAD_VALUES):
            raise InputError(
                f"{' '.join(str(error).split())}; see the files in conf/ for the options there are"
            ) from None
        raise


@functools.cache
def _names(group: str) -> frozenset[str]:
    """Every ``_target_`` in the files of a group."""
    patterns = FILES.get(group, (f"{group}/*.yaml",))
    texts = (file.read_text(encoding="utf-8") for pattern in patterns for file in CONF.glob(pattern))
    return frozenset(name for text in texts for name in re.findall(r"^ *_target_: (\S+)$", text, re.MULTILINE))


def _check(node: Any, group: str) -> None:
    """Raise an InputError for a node, at any depth, that names or holds what its group does not."""
    named = isinstance(node, dict) and "_target_" in node
    if named:
        _check_name(node["_target_"], group)
    for value, inner in _nodes_in(node, group):
        _check(value, inner)
    if not named:
        _check_name(None, group)
    if (late := node.get("_partial_", False)) is not _is_made_late(group):
        raise InputError(f"_partial_: {_shown(late)} is not how {group} is built; see its files in conf/")
    _check_options(node, group)


def _check_name(target: Any, group: str) -> None:
    """Raise an InputError for what no file of the group names."""
    if not isinstance(target, str) or target not in _names(group):
        known = ", ".join(sorted(_names(group))) or "none"
        raise InputError(f"_target_: {_shown(target)} may not be built; expected one of those of {group}: {known}")


def _nodes_in(node: Any, group: str) -> Iterator[tuple[Any, str]]:
    """Every dict and list in one, with its group: a cell is model/rnn in model.encoder_rnn too; a list has none."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, dict):
                yield value, f"{group}/{str(key).rpartition('_')[2]}"
            elif isinstance(value, list):
                yield from _nodes_in(value, group)
    elif isinstance(node, list):
        yield from ((value, f"{group}/") for value in node if isinstance(value, dict | list))


def _check_options(node: dict[str, Any], group: str) -> None:
    """Raise an InputError for an option that what is named does not have, or a value of another type."""
    named = hydra.utils.get_object(node["_target_"])
    parameters, hints = inspect.signature(named).parameters, _hints(named)
    for key, value in node.items():
        if key in ("_target_", "_partial_"):
            continue
        if key not in parameters:
            raise InputError(
                f"{node['_target_']} got an unexpected keyword argument {_shown(key)}; see the files in conf/ for its "
                "options"
            )
        if not isinstance(value, dict) and key in hints and not _fits(value, hints[key]):
            raise InputError(f"{group}.{key}={_shown(value)} is no value for it; expected {_described(hints[key])}")


def _is_made_late(group: str) -> bool:
    """Whether what a group names is called by whoever knows the sizes, or the weights, that it takes."""
    return group == "optimizer" or "/" in group


@functools.cache
def _hints(named: Callable[..., Any]) -> dict[str, Any]:
    """What each parameter of a class or function takes."""
    return get_type_hints(getattr(named, "__init__") if isinstance(named, type) else named)  # noqa: B009 (for mypy)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value, or each in a list, is of a type that its parameter takes."""
    if hint is Any:
        return True
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if isinstance(value, list):
        return get_origin(hint) in (list, tuple, Sequence) and all(
            any(_fits(one, inner) for inner in get_args(hint)) for one in value
        )
    if type(value) is int:
        return hint in (int, float) and -GREATEST < value < GREATEST
    return type(value) is hint


def _described(hint: Any) -> str:
    """The types of a parameter in words."""
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    found = [words.get(kind, "a list" if get_origin(kind) in (list, tuple, Sequence) else "a part") for kind in kinds]
    return " or ".join(dict.fromkeys(found))


def _shown(value: Any) -> str:
    """A value, cut to a length that fits a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
