"""python -m s2s.score: how probable given texts are, or translations of given sources; alternatives are ranked."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from omegaconf import DictConfig

from s2s.config import command, say
from s2s.errors import InputError
from s2s.report.json_lines import json_line
from s2s.run import Run
from s2s.scoring import Given, Scored, Totals, accuracies, form_of, given, ranked, read_pairs, scored
from s2s.text.lines import check_nothing_is_lost, opened, paired_lines, read_lines_as_they_come
from s2s.text.reading import read_lines
from s2s.translator import Translator


def score(config: DictConfig) -> None:
    """Score every line as it comes, or the minimal pairs of a file."""
    if config.format not in ("text", "jsonl"):
        raise InputError(f"format={config.format} is unknown; expected text or jsonl")
    check_nothing_is_lost([config.output], [config.input, config.target], overwrite=config.overwrite)
    runs = Run.find_all(config.run, config.runs_dir)
    options = {name: config[name] for name in ("device", "precision")}
    translator = Translator.load(runs, **options)
    say(f"run: {', '.join(str(run.folder) for run in runs)}")
    if config.minimal_pairs:
        if translator.reads_source:
            raise InputError(
                f"minimal_pairs= are for a language model, and {runs[0].folder} translates; name another run"
            )
        pairs = read_pairs(read_lines(config.minimal_pairs), config.minimal_pairs)
        for accuracy in accuracies(translator, pairs, batch_size=config.batch_size).values():
            print(accuracy)
        return
    totals = Totals()
    with opened(config.input, "rb") as lines, opened(config.output, "wb") as output:
        texts = map(totals.add, scored(translator, read(config, lines, translator), batch_size=config.batch_size))
        for line in as_groups(texts, config.format) if config.rank else as_lines(texts, config.format):
            output.write(f"{line}\n".encode("utf-8", "replace"))
            output.flush()
    say(str(totals))


def read(config: DictConfig, lines: BinaryIO, translator: Translator) -> Iterator[list[Given]]:
    """What is to be scored: the lines of the input, or of two files side by side."""
    translates = translator.reads_source
    if config.target is not None:
        if not translates:
            raise InputError(f"target={config.target}: a language model reads no source; give its texts as input=")
        for sources, targets in paired_lines(lines, config.target):
            yield [Given(text, source, source) for source, text in zip(sources, targets or [], strict=True)]
        return
    form = form_of(str(config.input), config.read, translates=translates)
    if translates and form == "text":
        raise InputError("read=text has no targets; give target=FILE, or read=tsv with a source and a target on a line")
    yield from given(read_lines_as_they_come(lines), form, translates=translates, grouped=config.rank)


def as_lines(texts: Iterable[Scored], form: str) -> Iterator[str]:
    """Log-probability, perplexity and text of each, or everything as JSON."""
    for one in texts:
        if form == "jsonl":
            yield json_line(one.as_record())
        else:
            yield f"{one.found.log_prob:.4f}\t{one.perplexity:.4g}\t{one.line}"


def as_groups(texts: Iterable[Scored], form: str) -> Iterator[str]:
    """Rank, how many times the best is likelier, log-probability and text of each; an empty line between groups."""
    for number, group in enumerate(ranked(texts)):
        if form == "jsonl":
            yield json_line(
                {"alternatives": [{"rank": one.rank, "ratio": one.ratio, **one.as_record()} for one in group]}
            )
            continue
        if number:
            yield ""
        for one in group:
            yield f"{one.rank}\t{one.ratio:.4g}\t{one.found.log_prob:.4f}\t{one.line}"


if __name__ == "__main__":
    command("score", score)
