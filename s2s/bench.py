"""python -m s2s.bench: how fast this machine trains, translates and starts to."""

import json
import re
import sys
from dataclasses import replace
from functools import partial
from itertools import product
from tempfile import TemporaryDirectory

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf

from s2s.building import build
from s2s.config import choices_in_words, command, say
from s2s.errors import InputError
from s2s.report.speed import Figures, json_text, machine, peak_memory, seconds_to_first_line, text_table
from s2s.run import Run, pick_device
from s2s.search.beam import BeamSearch
from s2s.text.reading import read_lines
from s2s.training.beginning import KEPT
from s2s.training.preparation import prepare
from s2s.training.speed import time_training, time_translating
from s2s.training.stream import valid_pairs
from s2s.translator import Translator

OWN = {"task", "run", "runs_dir", "input", "format", "bench"}  # what starting does not pass on to translating
LISTS = ("beams", "batches")


def bench(config: DictConfig) -> None:
    """Measure what the task names; print the figures and what they were measured on."""
    tasks = {"train": training, "decode": decoding, "startup": starting}
    formats = {"text": text_table, "json": json_text}
    for option, known in (("task", list(tasks)), ("format", list(formats))):
        if config[option] not in known:
            raise InputError(f"{option}={config[option]} is unknown; expected {', '.join(known)}")
    for name, value in config.bench.items():
        numbers = value if isinstance(value, ListConfig) else [value]
        if (numbers is value) != (name in LISTS) or not numbers or any(type(n) is not int or n < 1 for n in numbers):
            raise InputError(f"bench.{name}={value}: expected {'a list of ' * (name in LISTS)}whole numbers above 0")
    figures, subject = tasks[config.task](config)
    setting = {**subject, "options": " ".join(HydraConfig.get().overrides.task), **machine(pick_device(config.device))}
    print(formats[config.format](figures, setting))


def training(config: DictConfig) -> tuple[Figures, dict[str, str]]:
    """Time updates of new weights, in a folder that is removed."""
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise InputError(f"{missing[0]} is not set; give {missing[0]}=… on the command line")
    OmegaConf.resolve(config)
    with TemporaryDirectory(prefix="s2s-bench-") as folder:
        trainer, corpus = prepare(Run.create(folder, "run", OmegaConf.masked_copy(config, KEPT), exact=True))
        counts = {name: config.bench[name] for name in ("warm_up", "updates", "repeats")}
        figures = time_training(trainer, **counts, say=say)
    data, products = f"{corpus.label}, {corpus.languages}", str(trainer.products).removeprefix("torch.")
    return figures, {"data": data, "model": " ".join(choices_in_words("model")), "products": products}


def decoding(config: DictConfig) -> tuple[Figures, dict[str, str]]:
    """Time translating, from text to text, with every beam size and every batch size."""
    run, sources, setting = run_and_sources(config)
    translator, settings = Translator.from_config(config, run), config.bench
    if not isinstance(search := translator.search, BeamSearch):
        raise InputError(f"{type(search).__name__} has no beams to be measured with; leave search= out")
    figures: Figures = {}
    for beam, batch in product(settings.beams, settings.batches):
        translator.search = replace(search, beam_size=beam)
        sentences = sources[: settings.sentences_alone if batch == 1 else settings.sentences]
        figures |= time_translating(translator, sentences, batch_size=batch, repeats=settings.repeats, say=say)
    return {**figures, **peak_memory(translator.device)}, setting


def starting(config: DictConfig) -> tuple[Figures, dict[str, str]]:
    """Time new processes: one that translates a sentence, and one that only imports what that takes."""
    run, sources, setting = run_and_sources(config)
    options = [text for text in HydraConfig.get().overrides.task if re.split("[.=]", text)[0] not in OWN]
    folder = json.dumps(str(run.folder), ensure_ascii=False)  # in quotes
    lines = {
        "seconds to the first translation": ["-m", "s2s.translate", f"run={folder}", *options],
        "seconds to import s2s.translate": ["-c", "import s2s.translate; print(flush=True)"],
    }
    say(f"{config.bench.repeats} starts of {len(lines)} processes")
    times = partial(seconds_to_first_line, stdin=sources[0], repeats=config.bench.repeats)
    return {name: times([sys.executable, *line]) for name, line in lines.items()}, setting


def run_and_sources(config: DictConfig) -> tuple[Run, list[str], dict[str, str]]:
    """Open the run, read what it is to translate, and name both."""
    run = Run.find(config.run, config.runs_dir)
    say(f"run: {run.folder}")
    lines = read_lines(config.input) if config.input else valid_pairs(build(run.config.data, "data"), say)["source"]
    if not (sources := [line for line in lines if line.strip()]):
        raise InputError(f"{config.input or run.config.data.label} has no sentence to translate; give another input=")
    return run, sources, {"data": config.input or run.config.data.label, "model": run.folder.resolve().name}


if __name__ == "__main__":
    command("bench", bench)
