"""python -m s2s.average: a new run whose weights are the mean of those that another kept while it trained."""

import shutil
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from s2s.building import build
from s2s.config import command, say
from s2s.errors import InputError
from s2s.report.metrics import Score
from s2s.run import Run
from s2s.training.average import average_checkpoints
from s2s.training.data import corpus_of
from s2s.training.result import result_of, training_summary
from s2s.training.stream import valid_pairs
from s2s.training.validation import as_record, criterion_score, validate
from s2s.translator import Translator

COLUMNS = {"perplexity": "perplexity", "bleu": "BLEU", "chrf": "chrF2", "word_perplexity": "per word", "bits": "bits"}


def average(config: DictConfig) -> None:
    """Average checkpoints into a new run, validate it, and print its scores below theirs."""
    run = Run.find(config.run, config.runs_dir)
    say(f"run: {run.folder}")
    kept, records = run.kept_checkpoints(), [record for record in run.records() if "seconds" in record]
    validated = {record["updates"]: record for record in records if record.get("split") == "valid"}
    criterion = build(run.config.training, "training").criterion
    scored = {updates: one for updates, one in validated.items() if criterion == "loss" or criterion in one}
    values = {updates: criterion_score(one, criterion) for updates, one in scored.items()}
    chosen = choose(run, {updates: values[updates] for updates in kept if updates in values}, config.last, config.best)
    made_of = run.config.copy()
    made_of.averaged = {"run": str(run.folder), "updates": chosen}
    name = config.name or f"{run.folder.resolve().name}-average"
    new = Run.create(config.runs_dir, name, made_of, exact=config.name is not None)
    try:
        new.save_tokenizers(*run.tokenizers())
        new.save_weights(average_checkpoints(run, [kept[updates] for updates in chosen]))
        scores, references = measure(new, config.device)
    except BaseException:
        shutil.rmtree(new.folder)
        raise
    if (shortlist := run.folder / "shortlist.npz").exists():
        shutil.copy(shortlist, new.folder)
    place = {"split": "valid", "updates": chosen[-1], "epoch": validated[chosen[-1]].get("epoch", 0), "best": True}
    new.log({**place, **as_record(scores), "seconds": max(record["seconds"] for record in records)})
    of_text = [score for name, score in scores.items() if name != "perplexity"]
    training = training_summary(list(new.records()))
    new.finish(result_of(new.load_model(), of_text, "validation", references, training))
    best = max(values, key=lambda updates: values[updates])
    rows = {f"{updates:,} updates": validated[updates] for updates in chosen if updates != best}
    print(table({**rows, f"{best:,} updates (best)": validated[best], "average": as_record(scores)}))
    say(f"averaged: {new.folder}")


def choose(run: Run, values: Mapping[int, float], last: int | None, best: int | None) -> list[int]:
    """Which of the checkpoints to average, given what each was worth: the newest, the best, or all."""
    if not values:
        raise InputError(f"{run.folder} kept no checkpoints; train, or resume it, with training.keep_checkpoints=5")
    if last is not None and best is not None:
        raise InputError(f"last={last} and best={best} are two choices; give one of them")
    name, wanted = ("best", best) if last is None else ("last", last)
    if wanted is not None and (type(wanted) is not int or not 1 <= wanted <= len(values)):
        raise InputError(f"{name}={wanted}, but {run.folder} kept {len(values)} checkpoints; give 1 to {len(values)}")
    ranked = sorted(values, key=lambda updates: updates if best is None else values[updates])
    return sorted(ranked[-(wanted or len(values)) :])


def measure(run: Run, device: str | None) -> tuple[dict[str, Score], list[str]]:
    """Score a run's weights on its validation pairs; return the references, too."""
    translator, corpus = Translator.load(run, device=device), corpus_of(run)
    running = bool(run.config.training.get("truncated_length"))
    valid = valid_pairs(corpus, say, in_order=running)
    sources, references = list(valid["source"]), list(valid["target"])
    settings = run.config.training
    criterion = "bleu" if settings.criterion == "loss" and translator.reads_source else settings.criterion
    options = {"batch_tokens": settings.batch_tokens, "criterion": criterion, "running": running}
    return validate(translator, sources, references, language=corpus.language, **options), references


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Lay validations out, a row each; what was not measured is missing."""
    columns = {key: title for key, title in COLUMNS.items() if any(key in record for record in rows.values())}
    lines = [["", *columns.values()]]
    for name, record in rows.items():
        found = [record.get(key) for key in columns]
        values = [one["value"] if isinstance(one, Mapping) else one for one in found]
        lines.append([name, *("–" if value is None else f"{value:.2f}" for value in values)])
    width = max(len(name) for name, *_ in lines)
    return "\n".join(f"{name:{width}}" + "".join(f"{value:>12}" for value in values) for name, *values in lines)


if __name__ == "__main__":
    command("average", average)
