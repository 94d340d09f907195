"""python -m s2s.sample: texts that a language model writes, from nothing or from how they begin."""

from collections.abc import Iterator

from omegaconf import DictConfig

from s2s.building import build
from s2s.config import command, say
from s2s.errors import InputError
from s2s.report.json_lines import json_line
from s2s.run import Run
from s2s.text.lines import check_nothing_is_lost, opened, read_lines_as_they_come
from s2s.translation import Translation
from s2s.translator import Translator


def sample(config: DictConfig) -> None:
    """Write what every beginning becomes, as it comes."""
    if config.format not in ("text", "jsonl"):
        raise InputError(f"format={config.format} is unknown; expected text or jsonl")
    if config.text is not None and config.input is not None:
        raise InputError("text= and input= both say how texts begin; give one of them")
    check_nothing_is_lost([config.output], [config.input], overwrite=config.overwrite)
    run = Run.find(config.run, config.runs_dir)
    if not run.is_language_model:
        raise InputError(f"{run.folder} translates; give run= of a language model, trained with model=lm")
    say(f"run: {run.folder}")
    options = {name: config[name] for name in ("device", "precision")}
    translator = Translator.load(run, search=build(config.search, "search"), **options)
    with opened(config.output, "wb") as output:
        for text in continued(translator, config):
            output.write(f"{text}\n".encode())
            output.flush()


def continued(translator: Translator, config: DictConfig) -> Iterator[str]:
    """Yield the texts that every beginning becomes, a line each; JSON has all of a beginning on one line."""
    row = 0
    for lines in beginnings(config):
        options = {"n_best": config.samples, "batch_size": config.batch_size}
        for found in translator(lines, first_row=row, **options):
            if config.format == "jsonl":
                yield json_line(as_record(found))
            else:
                yield from (one.text for one in found.hypotheses)
        row += len(lines)


def beginnings(config: DictConfig) -> Iterator[list[str]]:
    """Yield how texts shall begin: as typed, or the lines of a file or stdin as they come."""
    if config.input is None:
        yield ["" if config.text is None else str(config.text)]
        return
    with opened(config.input, "rb") as source:
        yield from read_lines_as_they_come(source)


def as_record(found: Translation) -> dict[str, object]:
    """A beginning and its texts, each with its log-probability and those of its pieces, in JSON's types."""
    samples = [
        {
            "text": one.text,
            "log_prob": one.log_prob,
            "tokens": one.target_tokens,
            "token_log_probs": one.token_log_probs,
            "finished": one.finished,
        }
        for one in found.hypotheses
    ]
    return {"beginning": found.source, "samples": samples}


if __name__ == "__main__":
    command("sample", sample)
