"""python -m s2s.evaluate: BLEU, chrF, TER and more of runs on a split or of files against a file; several compared."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from s2s.config import command
from s2s.errors import InputError
from s2s.evaluation import alignment_of_files, compared, listed, of_files, of_runs
from s2s.report.score import Score
from s2s.report.systems import Comparison
from s2s.report.systems_page import write_systems_page
from s2s.report.systems_record import comparison_record, sentence_records
from s2s.report.systems_table import bucket_tables, score_tables
from s2s.storage import write_result
from s2s.text.lines import check_nothing_is_lost

INPUTS = ("references", "sources", "training", "links", "gold")


def evaluate(config: DictConfig) -> None:
    """Print every score, of several systems as a table, and write the reports."""
    check_request(config)
    reports = listed(config.report)
    if config.links and not config.hypotheses:
        show_scores(config.format, alignment_of_files(config))
        return
    if config.hypotheses:
        # Files that are given for tables ask for them.
        reports = reports or ["-"] * bool(config.sources or config.training)
        test_set = of_files(config)
    else:
        test_set = of_runs(config, with_training=bool(reports))
    comparison = compared(test_set, listed(config.metrics))
    several = len(comparison.systems) > 1
    if config.format == "json" and (several or reports):
        print(as_json(comparison_record(comparison)))
    elif several:
        print(score_tables(comparison), end="")
    else:
        show_scores(config.format, [*(scores[0] for scores in comparison.scores.values()), *test_set.systems[0].others])
    if "-" in reports and config.format == "text":
        print("\n" + bucket_tables(comparison), end="")
    for report in reports:
        if report != "-":
            write_report(comparison, report)


def check_request(config: DictConfig) -> None:
    """Refuse options that do not go together, and results over what is read."""
    if config.format not in ("text", "json"):
        raise InputError(f"format={config.format} is unknown; expected text or json")
    if (config.hypotheses is None) != (config.references is None):
        raise InputError("hypotheses= and references= go together; give both files, or neither to score a run")
    if (config.hypotheses or config.links) and (config.links is None) != (config.gold is None):
        raise InputError("links= and gold= go together; give both files, or gold= alone to score a run")
    if config.hypotheses and config.run:
        raise InputError("hypotheses= and run= are two things to score; give one, and a run's output= as the other")
    if config.sources and not config.hypotheses:
        raise InputError("sources= goes with hypotheses=; a run has its own, leave it out")
    reports = listed(config.report)
    for report in reports:
        if report != "-" and Path(report).suffix.lower() not in (".html", ".json"):
            raise InputError(f"report={report} is no report; expected - for tables, a .html or a .json file")
    if config.hypotheses and "-" in reports and not (config.sources or config.training):
        raise InputError("report=- has scores by source length and training frequency; give sources= or training=")
    inputs = [*listed(config.hypotheses), *(config[name] for name in INPUTS)]
    check_nothing_is_lost(reports + listed(config.output), inputs, overwrite=config.overwrite)


def show_scores(form: str, scores: Sequence[Score]) -> None:
    """Print the scores of one system."""
    if form == "json":
        print(as_json({score.name: score.as_dict() for score in scores}))
    else:
        print("\n".join(str(score) for score in scores))


def write_report(comparison: Comparison, path: str) -> None:
    """Write a page, or everything that is in it as JSON."""
    if path.lower().endswith(".html"):
        baseline, *others = (system.name for system in comparison.systems)
        title = f"{', '.join(others)} against {baseline}" if others else baseline
        write_systems_page(comparison, path, title=title)
    else:
        record = {**comparison_record(comparison), "by_sentence": sentence_records(comparison)}
        write_result("report", path, as_json(record) + "\n")


def as_json(value: Any) -> str:
    """The value as JSON that people can read."""
    return json.dumps(value, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    command("evaluate", evaluate)
