"""What is to be scored: files, or what runs make of a split, beside the references and what else is known of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

from s2s.building import build
from s2s.config import say
from s2s.errors import InputError
from s2s.report.alignment import AlignmentScore, alignment_error_rate, check_gold, read_gold, read_pharaoh
from s2s.report.corpus_metrics import bleu_words, metrics_by_name
from s2s.report.counted_systems import System
from s2s.report.systems import Comparison, compare_systems
from s2s.report.token_metrics import OfTokens
from s2s.report.words import words
from s2s.run import Run
from s2s.storage import write_result
from s2s.text.corpus import Corpus
from s2s.text.reading import read_lines
from s2s.text.several import SeveralCorpora
from s2s.training.result import alignment_score
from s2s.translator import Translator, tell_progress

__all__ = ["TestSet", "alignment_of_files", "compared", "listed", "of_files", "of_runs"]


@dataclass(frozen=True)
class TestSet:
    """Systems and what they are scored by.

    Args:
        systems: with their outputs; the first is the baseline.
        references: one for each sentence.
        sources, training: the source side, and the target side of the training data; None where they are not known.
        language: target language, None where it is not known.
    """

    systems: Sequence[System]
    references: Sequence[str]
    sources: Sequence[str] | None
    training: Iterable[str] | None
    language: str | None


def compared(test_set: TestSet, names: Sequence[str]) -> Comparison:
    """Score the systems by the metrics of these names; without names, by BLEU, TER and chrF or, to compare, chrF++."""
    names = names or ["bleu", "chrf++" if len(test_set.systems) > 1 else "chrf", "ter"]
    metrics = metrics_by_name(names, test_set.language)
    of_tokens = all(isinstance(metric, OfTokens) for metric in metrics)
    return compare_systems(
        test_set.systems,
        test_set.references,
        metrics=metrics,
        cut=str.split if of_tokens else bleu_words(test_set.language),
        sources=test_set.sources,
        cut_source=str.split if of_tokens else lambda source: [source[start:end] for start, end in words(source)],
        training=test_set.training,
        say=say,
    )


def of_files(config: DictConfig) -> TestSet:
    """Read files of translations, one or several, and what lies beside them."""
    paths = listed(config.hypotheses)
    links = alignment_of_files(config)
    if links and len(paths) > 1:
        raise InputError("links= are those of one file of translations; give one, or leave links= out")
    outputs = [list(read_lines(path)) for path in paths]
    systems = [System(name, lines, links) for name, lines in zip(system_names(paths), outputs, strict=True)]
    references = list(read_lines(config.references))
    sources = list(read_lines(config.sources)) if config.sources else None
    return TestSet(systems, references, sources, _training_file(config), config.language)


def alignment_of_files(config: DictConfig) -> tuple[AlignmentScore, ...]:
    """Score a file of links against one of gold links, where there are such files."""
    if not config.links:
        return ()
    predicted = [links for _, links in read_pharaoh(read_lines(config.links), config.links)]
    gold = read_gold(read_lines(config.gold), config.gold, sentences=len(predicted))
    return (alignment_error_rate(predicted, gold),)


def of_runs(config: DictConfig, *, with_training: bool) -> TestSet:
    """Translate a split with runs, one after another; their attention is scored too, where there are gold links.

    Args:
        config: of the command.
        with_training: whether to look for the training data.

    Raises:
        InputError: runs whose split differs, or not one output file for each.
    """
    runs = [Run(folder) for folder in listed(config.run)] or [Run.find(None, config.runs_dir)]
    say(f"run: {', '.join(str(run.folder) for run in runs)}")
    outputs = listed(config.output)
    if outputs and len(outputs) != len(runs):
        raise InputError(f"output= names {len(outputs)} files for {len(runs)} runs; give one for each")
    corpora = [corpus_of(config, run) for run in runs]
    sides = [
        (list(pairs["source"]), list(pairs["target"])) for pairs in (one.load(config.data.split) for one in corpora)
    ]
    for run, pairs in zip(runs, sides, strict=True):
        if pairs != sides[0]:
            raise InputError(
                f"{runs[0].folder} and {run.folder} have other sentences in {config.data.split}, and cannot be "
                "compared; give data.path= for both, or score their outputs as hypotheses="
            )
    sources, references = sides[0]
    names = system_names([str(run.folder) for run in runs])
    systems = []
    for place, (name, run, corpus) in enumerate(zip(names, runs, corpora, strict=True)):
        systems.append(translated(config, run, corpus, name, sources, references))
        if outputs:
            write_result("output", outputs[place], "".join(f"{line}\n" for line in systems[-1].hypotheses))
    training = _training_of(config, runs[0]) if with_training else None
    return TestSet(systems, references, sources, training, config.language or corpora[0].language)


def translated(
    config: DictConfig, run: Run, corpus: Corpus | SeveralCorpora, name: str, sources: list[str], references: list[str]
) -> System:
    """Translate sources with a run, and score its attention against gold links, where there are some."""
    translator = Translator.from_config(config, run)
    gold = list(read_lines(config.gold)) if config.gold else corpus.alignments(config.data.split)
    place = config.gold or f"gold links of {config.data.split}"
    alignment = _attention_score(translator, sources, references, gold, place) if gold is not None else None
    if config.gold and not alignment:
        raise InputError(f"gold={config.gold}: a model without attention has no links to score; leave it out")
    translations = translator.stream(sources, batch_size=config.batch_size)
    hypotheses = [translation.text for translation in tell_progress(translations, say)]
    return System(name, hypotheses, (alignment,) if alignment else ())


def _attention_score(
    translator: Translator, sources: list[str], references: list[str], lines: list[str], name: str
) -> AlignmentScore | None:
    """Score attention against gold links that are counted in the words of these sentences."""
    gold = read_gold(lines, name, sentences=len(sources))
    sizes = [(len(words(source)), len(words(target))) for source, target in zip(sources, references, strict=True)]
    check_gold(gold, sizes, name)
    return alignment_score(translator, sources, references, gold)


def corpus_of(config: DictConfig, run: Run) -> Corpus | SeveralCorpora:
    """The corpus a run is scored on: its own, or the command line's ``data.path=``."""
    own = {"path": config.data.path} if config.data.path else {}
    corpus: Corpus | SeveralCorpora = build(OmegaConf.merge(run.config.data, own), "data")
    return corpus


def _training_file(config: DictConfig) -> Iterable[str] | None:
    return read_lines(config.training) if config.training else None


def _training_of(config: DictConfig, run: Run) -> Iterable[str] | None:
    """The training data that was given, or the run's own; None where that is gone, which is told."""
    if config.training:
        return _training_file(config)
    try:
        corpus: Corpus | SeveralCorpora = build(run.config.data, "data")
        targets: Iterable[str] = corpus.load("train")["target"]
    except InputError as error:
        say(f"without scores by training frequency, give training= for them: {error}")
        return None
    return targets


def system_names(paths: Sequence[str]) -> list[str]:
    """Call systems by the last part of their paths, or by the whole paths where that tells them not apart."""
    names = [Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def listed(value: str | ListConfig | None) -> list[str]:
    """One or several as a list."""
    return [] if value is None else [str(item) for item in value] if isinstance(value, ListConfig) else [str(value)]
