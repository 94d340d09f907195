"""python -m s2s.compare: one table of finished runs, and a picture of how they learnt."""

import hashlib
import shutil
import sys
from collections import Counter
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from s2s.config import choice_names, command, say
from s2s.errors import InputError
from s2s.report.compare import FinishedRun, comparability_notes, csv_table, markdown_table, text_table
from s2s.run import Run
from s2s.storage import write_result
from s2s.text.lines import check_nothing_is_lost
from s2s.training.result import training_summary

ENDINGS = {".txt": "text", ".md": "markdown", ".csv": "csv"}


def compare(config: DictConfig) -> None:
    """Read the runs, print or write their table, draw their curves."""
    form = chosen_format(config.format, config.output)
    check_nothing_is_lost([config.output, config.curves], overwrite=config.overwrite)
    runs = read_runs(config)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not config.output else None
    table = written(runs, form, width)
    if config.output is None:
        print(table, end="")
    else:
        write_result("output", config.output, table)
    if config.curves:
        from s2s.report.curves import draw_curves  # matplotlib is slow to import

        say(f"{draw_curves(runs, config.curves)}\ncurves: {config.curves}".strip())


def chosen_format(form: str | None, output: str | None) -> str:
    """The format that is asked for, or that the ending of the output stands for."""
    if form is None:
        ending = Path(output).suffix if output else ".txt"
        if ending not in ENDINGS:
            raise InputError(f"output={output} ends in none of {', '.join(ENDINGS)}; rename it or give format=")
        return ENDINGS[ending]
    if form not in ENDINGS.values():
        raise InputError(f"format={form} is unknown; expected {', '.join(ENDINGS.values())}")
    return form


def written(runs: list[FinishedRun], form: str, terminal_width: int | None) -> str:
    """The table in a format, with notes below it where people read it."""
    choices, notes = choice_names(), comparability_notes(runs)
    if form == "csv":
        return csv_table(runs, choices)
    if form == "markdown":
        return markdown_table(runs, choices) + "".join(f"\n{note}\n" for note in notes)
    return text_table(runs, choices, terminal_width=terminal_width) + "".join(f"\n{note}" for note in notes) + "\n"


def read_runs(config: DictConfig) -> list[FinishedRun]:
    """Read the runs that are named, or all finished ones, the newest last."""
    folders = [Path(name) for name in ([config.runs] if isinstance(config.runs, str) else config.runs)]
    results = Path(config.runs_dir).glob("*/result.json")
    folders = folders or [path.parent for path in sorted(results, key=lambda path: path.stat().st_mtime)]
    if not folders:
        raise InputError(f"no finished run in {config.runs_dir}; name run folders, or train with `python -m s2s.train`")
    shared = Counter(folder.resolve().name for folder in folders)
    return [read_run(Run(path), str(path) if shared[name := path.resolve().name] > 1 else name) for path in folders]


def read_run(run: Run, name: str) -> FinishedRun:
    """Read what a finished run's folder tells."""
    if not run.result.is_file():
        raise InputError(f"{run.folder} is not finished; go on with `python -m s2s.train resume={run.folder}`")
    result = run.read_result()
    records = list(run.records())
    tokenizer = run.folder / "tokenizer" / "target.model"
    config = OmegaConf.to_container(run.config)
    assert isinstance(config, dict)
    return FinishedRun(
        name=name,
        config={str(key): value for key, value in config.items()},
        result={"training": training_summary(records), **result},
        records=records,
        tokenizer=hashlib.sha256(tokenizer.read_bytes()).hexdigest() if tokenizer.is_file() else "",
    )


if __name__ == "__main__":
    command("compare", compare)
