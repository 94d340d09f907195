"""python -m s2s.inspect: what a translator looked at, as pictures, pages, text or numbers."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from omegaconf import DictConfig, ListConfig

from s2s.config import command, say
from s2s.errors import InputError
from s2s.inside import draw_cells, write_evolution, write_trees
from s2s.inspection import Linking, sheets
from s2s.intervention import interfered_sheets
from s2s.report.sheet import Sheet
from s2s.report.suspects import write_report
from s2s.report.writers import FORMATS, opened_writers, with_numbered
from s2s.run import Run
from s2s.text.lines import check_nothing_is_lost, opened, paired_lines, read_lines_as_they_come
from s2s.translator import Translator, tell_progress

CHOICES = {"view": ("attention", "gates", "beam", "evolution"), "format": FORMATS, "level": ("words", "pieces")}
INTERFERENCE = ("prefix", "replace", "force", "forbid")


def inspect(config: DictConfig) -> None:
    """Show what the configuration asks for."""
    for name, known in CHOICES.items():
        if config[name] not in known:
            raise InputError(f"{name}={config[name]} is unknown; expected one of {', '.join(known)}")
    files = with_numbered(listed(config.output)) + listed(config.report)
    check_nothing_is_lost(files, (config.input, config.target), overwrite=config.overwrite)
    runs = [Run(folder) for folder in listed(config.run)] or [Run.find(None, config.runs_dir)]
    say(f"run: {', '.join(str(run.folder) for run in runs)}")
    if config.view == "attention":
        show_attention(config, runs)
        return
    asked = [f"{name}=" for name in ("report", *INTERFERENCE) if config[name]]
    if len(runs) > 1 or asked:
        raise InputError(
            f"view={config.view} shows one run as it is, got {', '.join(asked) or 'several'}; leave that out"
        )
    show_inside(config, runs[0])


def show_attention(config: DictConfig, runs: list[Run]) -> None:
    """Write every sentence to every output; or, for a report, rank them."""
    show, names = sheet_maker(config, runs), ", ".join(run.folder.name for run in runs)
    with opened(config.input, "rb") as lines:
        shown = tell_progress((sheet for pair in paired_lines(lines, config.target) for sheet in show(*pair)), say)
        if config.report:
            write_report(shown, listed(config.report), count=config.shown, title=f"Suspicious translations of {names}")
            return
        options = {"form": config.format, "level": config.level, "title": f"Attention of {names}", "say": say}
        with opened_writers(listed(config.output), **options) as write:
            for sheet in shown:
                write(sheet)


def sheet_maker(config: DictConfig, runs: list[Run]) -> Callable[..., Iterable[Sheet]]:
    """What turns sentences, and their targets or None, into what is shown of them."""
    translators = {run.folder.name: Translator.from_config(config, run) for run in runs}
    if len(translators) < len(runs):
        raise InputError("run= names folders of one name, which could not be told apart; rename one")
    backward = Translator.from_config(config, Run(str(config.backward))) if config.backward else None
    linking = Linking(config.share, config.threshold, backward, config.symmetrise)
    pages = any(output.lower().endswith(".html") for output in listed(config.output))
    shown: dict[str, Any] = {"parts": pages if config.parts is None else config.parts, "linking": linking}
    if not (asked := [f"{name}=" for name in INTERFERENCE if config[name]]):
        return partial(sheets, translators, n_best=config.n_best, batch_size=config.batch_size, **shown)
    if len(runs) > 1 or config.target or config.n_best > 1:
        told = f"{' and '.join(asked)} have a say in the best translation of one run"
        raise InputError(f"{told}; leave target= and n_best= out, and give one run=")
    shown |= {name: str(config[name] or "") for name in ("prefix", "replace")}
    shown |= {name: listed(config[name]) for name in ("force", "forbid")}
    return partial(interfered_sheets, next(iter(translators.values())), **shown)


def show_inside(config: DictConfig, run: Run) -> None:
    """Show gates, a search, or how attention came to be, each in one file."""
    output = str(config.output)
    if config.view == "evolution":
        write_evolution(run, output, level=config.level, say=say)
        return
    translator = Translator.from_config(config, run, language_models=True)
    with opened(config.input, "rb") as lines:
        if config.view == "beam":
            sources = (source for chunk in read_lines_as_they_come(lines) for source in chunk)
            write_trees(translator, sources, output, title=f"Beam search of {run.folder.name}")
        else:
            draw_cells(translator, paired_lines(lines, config.target), output, say=say)


def listed(value: str | ListConfig | None) -> list[str]:
    """One or several as a list."""
    return [] if value is None else [str(item) for item in value] if isinstance(value, ListConfig) else [str(value)]


if __name__ == "__main__":
    command("inspect", inspect)
