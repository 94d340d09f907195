"""Where the configuration lies, how it is composed and checked, and how a command runs with it."""

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from s2s.errors import InputError
from s2s.memory import keep_freed_memory

__all__ = [
    "CONF",
    "choice_names",
    "choices_in_words",
    "command",
    "compose",
    "explicit_overrides",
    "help_text",
    "quoted",
    "say",
]

PACKAGE = Path(__file__).resolve().parent
# A wheel carries conf/ and data/ inside the package; in a checkout they stand beside it.
HOME = PACKAGE if (PACKAGE / "conf").is_dir() else PACKAGE.parent
CONF = HOME / "conf"
# What words without "=" are to a command that takes some.
BARE_WORDS = {"compare": "runs"}

OmegaConf.register_new_resolver("sample_folder", lambda: str(HOME / "data" / "sample"), replace=True)


def compose(name: str, overrides: list[str]) -> DictConfig:
    """Compose one of the commands' configurations from Python: ``compose("train", ["model=bahdanau"])``.

    Raises:
        InputError: an override that names no option, or no choice of a group; it suggests the nearest name.
    """
    overrides = [quoted(override) for override in overrides]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"), _explained(name, overrides):
        return hydra.compose(name, overrides)


def _check_kind(name: str, override: str) -> None:
    """Raise an InputError for a word where an option that stands in a command's own file is a number, or a truth."""
    parsed = _parsed(override)
    default = OmegaConf.select(_own_options(name), parsed.get_key_element())
    if isinstance(default, bool | int | float) and isinstance(parsed.value(), str) and not parsed.is_sweep_override():
        expected = "true or false" if isinstance(default, bool) else f"a number, such as {default}"
        raise InputError(f"{override} is no value for {parsed.get_key_element()}; expected {expected}")


@cache
def _own_options(name: str) -> DictConfig:
    """What stands in a command's own file; read once, as a look costs a tenth of a second for a few options."""
    return OmegaConf.load(CONF / f"{name}.yaml")  # type: ignore[return-value]


def quoted(override: str) -> str:
    """Quote what Hydra's grammar cannot read bare, values in other letters than ASCII: ``input=原文.zh``."""
    key, equals, value = override.partition("=")
    if value.isascii() or "'" in value or '"' in value:
        return override
    return key + equals + re.sub(r"[^\[\],]+", lambda part: part[0] if part[0].isascii() else f"'{part[0]}'", value)


@contextmanager
def _explained(name: str, overrides: list[str]) -> Iterator[None]:
    """Turn what Hydra says of a configuration into one line for the person."""
    for override in overrides:
        _check_choice(override)
        _check_kind(name, override)
    try:
        yield
    except (HydraException, MissingMandatoryValue, InterpolationResolutionError) as error:
        GlobalHydra.instance().clear()
        groups = _groups()
        parsed = {override: _parsed(override) for override in overrides}
        chosen = [
            text for text, one in parsed.items() if one.get_key_element() in groups and not one.is_sweep_override()
        ]
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            refused = {parsed[text].get_key_element() for text in chosen if not _composes(name, text)}
            chosen = [text for text in chosen if parsed[text].get_key_element() not in refused]
            known = [*(group for group in groups if group not in refused), *_keys(hydra.compose(name, chosen))]
        for key in (one.get_key_element() for one in parsed.values()):
            if key not in known:
                raise InputError(f"{key} is unknown{_nearest(key, known)}; `--help` lists the options") from None
        advice = "Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace."
        raise InputError(" ".join(str(error).split()).removesuffix(advice).strip()) from None


def _composes(name: str, choice: str) -> bool:
    """Whether a command has the group of a choice."""
    try:
        hydra.compose(name, [choice])
    except HydraException:
        return False
    return True


@cache
def _parsed(override: str) -> Override:
    """Read one override."""
    if override.startswith(("+", "~")):
        raise InputError(
            f"{override!r}: options are neither added nor deleted here; give {override.lstrip('+~')} without the sign"
        )
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException:
        raise InputError(
            f"{override!r} cannot be read: expected name=value; quote values with blanks or commas"
        ) from None


def _check_choice(override: str) -> None:
    """Raise an InputError where an override chooses what its group does not have; Hydra skips it in optional groups."""
    parsed = _parsed(override)
    choices = _groups().get(parsed.key_or_group)  # model/rnn of model/rnn@model.encoder_rnn
    listed = parsed.is_choice_sweep() or parsed.is_range_sweep()
    for choice in parsed.sweep_iterator() if listed else [] if parsed.is_sweep_override() else [parsed.value()]:
        if choices is not None and choice is not None and choice not in choices:
            group, nearest = parsed.get_key_element(), _nearest(str(choice), choices)
            raise InputError(f"{group}={choice} is unknown{nearest}; {group} is one of {', '.join(choices)}")


def _nearest(name: str, known: list[str]) -> str:
    """Return ", did you mean …?" for the closest known name, by its whole path or its last part."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    last = {option.rsplit(".", 1)[-1]: option for option in reversed(known)}
    close = close or [last[part] for part in difflib.get_close_matches(name.rsplit(".", 1)[-1], list(last), n=1)]
    return f", did you mean {close[0]}?" if close else ""


@cache
def _groups() -> dict[str, list[str]]:
    """Every configuration group with its choices."""
    groups: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*/**/*.yaml")):
        groups.setdefault(path.parent.relative_to(CONF).as_posix(), []).append(path.stem)
    return groups


def _keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """Every option of a configuration as a dotted path."""
    for key in map(str, node):
        yield f"{prefix}{key}"
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none():
            yield from _keys(child, f"{prefix}{key}.")


def explicit_overrides(prefix: str = "") -> dict[str, Any]:
    """What the person typed, all or below a prefix: ``explicit_overrides("search")`` -> ``{"search.beam_size": 3}``."""
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    typed = {override.get_key_element(): override.value() for override in overrides}
    return {key: value for key, value in typed.items() if not prefix or f"{key}.".startswith(f"{prefix}.")}


def choices_in_words(group: str) -> list[str]:
    """What the person chose of a group and in it, each as a short word.

    ``model/rnn=gru model.num_layers=2`` -> ``["luong", "gru", "num_layers2"]``: the group's own choice first, the
    default one too, then the rest as it was typed; lists are left out.
    """
    words = [str(HydraConfig.get().runtime.choices[group])]
    for key, value in explicit_overrides().items():
        shown = str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
        choice, _, place = key.partition("@")
        if choice.startswith(f"{group}/"):
            words.append(f"{place.rpartition('.')[2]}_{shown}" if place else shown)
        elif key.startswith(f"{group}.") and not isinstance(value, list | dict):
            words.append(f"{key.removeprefix(f'{group}.')}{'' if shown[0].isdigit() else '_'}{shown}")
    return words


def choice_names() -> dict[str, str]:
    """The name of the choice that a ``_target_`` comes from, where no other choice has the same one."""
    choices: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*/**/*.yaml")):
        for target in re.findall(r"^_target_: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            choices.setdefault(target, []).append(path.stem)
    return {target: names[0] for target, names in choices.items() if len(names) == 1}


def say(line: str) -> None:
    """Tell the person something that is no result."""
    print(line, file=sys.stderr, flush=True)


def command(name: str, task: Callable[[DictConfig], float | None]) -> None:
    """Run a task with the configuration the command line asks for, jobs of a sweep (``-m``) one after another.

    What a task returns is what a sweep looks for the best of, where it looks for something.
    Words without ``=`` are the list that ``BARE_WORDS`` names for the command.
    A mistake of the person (InputError) ends with one line on stderr and exit code 2, a closed pipe and Ctrl-C
    quietly; a fault of the program keeps its traceback.
    """
    if {"-h", "--help"} & set(sys.argv[1:]):
        with _people_see_one_line():
            print(help_text(name), flush=True)
        return
    with _people_see_one_line():
        arguments = [quoted(argument) for argument in _with_bare_words(name, _with_cfg_joined(sys.argv[1:]))]
    overrides = [text for text in arguments if not text.startswith("-")]

    def guarded(config: DictConfig) -> float | None:
        with _people_see_one_line(), _explained(name, overrides):
            found = task(config)
            sys.stdout.flush()  # a closed pipe is noticed here, not when Python ends
        return found

    keep_freed_memory()
    sys.argv[1:] = arguments  # where Hydra reads them
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # else Hydra cuts tracebacks and exits by itself
    with _people_see_one_line(), _explained(name, overrides):
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(guarded)()


def _with_cfg_joined(arguments: list[str]) -> list[str]:
    """Write Hydra's ``--cfg job``, which shows the configuration and does nothing, as the one word ``--cfg=job``."""
    rest = iter(arguments)
    joined = [f"--cfg={next(rest, '')}" if argument in ("-c", "--cfg") else argument for argument in rest]
    for argument in joined:
        if argument.startswith("--cfg=") and argument not in ("--cfg=job", "--cfg=hydra", "--cfg=all"):
            raise InputError(f"{argument} shows nothing; write --cfg=job for the configuration of this command")
    return joined


def _with_bare_words(name: str, arguments: list[str]) -> list[str]:
    """Turn the bare words of a command that takes some into one option: ``runs/a`` -> ``runs=['runs/a']``."""
    option = BARE_WORDS.get(name)
    bare = [word for word in arguments if option and word and "=" not in word and not word.startswith(("-", "+", "~"))]
    if not bare:
        return arguments
    if any(argument.startswith(f"{option}=") for argument in arguments):
        raise InputError(f"{bare[0]} and {option}=… are given; give words alone or {option}=[…] alone")
    listed = ",".join("'" + word.replace("'", r"\'") + "'" for word in bare)
    return [word for word in arguments if word not in bare] + [f"{option}=[{listed}]"]


@contextmanager
def _people_see_one_line() -> Iterator[None]:
    """End the program as ``command`` says, inside Hydra's job too, where Hydra would add lines of its own."""
    try:
        yield
    except InputError as error:
        say(f"error: {_printable(str(error))}")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # else Python complains of it as it ends
        raise SystemExit(0) from None


def _printable(text: str) -> str:
    """One line in which nothing moves the cursor or changes colours, whatever file it quotes."""
    return "".join(ascii(letter)[1:-1] if category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in text)


def help_text(name: str) -> str:
    """Everything a command understands: its own options with their comments, then the groups and their choices."""
    text = (CONF / f"{name}.yaml").read_text(encoding="utf-8")
    composed = re.findall(r"^  - (?:optional )?(\w+): ", text, re.MULTILINE)
    lines = [line for line in text.splitlines() if not re.match("defaults:|  - |.*_target_", line)]
    if composed:
        lines += ["", "Choices, as group=choice; every line of a chosen file is an option too, as group.option=value:"]
    for group, choices in _groups().items():
        for choice in choices if group.split("/")[0] in composed else []:
            file = (CONF / group / f"{choice}.yaml").read_text(encoding="utf-8")
            first = next(line for line in file.splitlines() if not line.startswith("# @package"))
            lines.append(f"  {f'{group}={choice}':38}{first.lstrip('# ')}")
    lines += ["", "--cfg=job shows what all of that comes to with the options given, and does nothing else."]
    return "\n".join(lines)
