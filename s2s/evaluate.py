"""python -m s2s.evaluate: BLEU, chrF, TER and alignment error, of a run on a split or of a file against a file."""

import json
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from s2s.config import build, command, say
from s2s.errors import InputError
from s2s.report.alignment import AlignmentScore, alignment_error_rate, check_gold, read_gold, read_pharaoh
from s2s.report.metrics import Score, bleu, chrf, ter
from s2s.report.words import words
from s2s.run import Run
from s2s.text.corpus import Corpus
from s2s.text.reading import read_lines
from s2s.training.result import alignment_score
from s2s.translator import Translator, tell_progress


def evaluate(config: DictConfig) -> None:
    """Print every score on a line of its own."""
    if config.format not in ("text", "json"):
        raise InputError(f"format={config.format} is unknown; expected text or json")
    if (config.hypotheses is None) != (config.references is None):
        raise InputError("hypotheses= and references= go together; give both files, or neither to score a run")
    of_files = config.hypotheses or config.links
    if of_files and (config.links is None) != (config.gold is None):
        raise InputError("links= and gold= go together; give both files, or gold= alone to score a run")
    scores = evaluate_files(config) if of_files else evaluate_run(config)
    if config.format == "json":
        print(json.dumps({score.name: score.as_dict() for score in scores}, ensure_ascii=False, indent=1))
    else:
        print("\n".join(str(score) for score in scores))


def evaluate_files(config: DictConfig) -> list[Score]:
    """Score a file of translations against one of references, a file of links against one of gold links, or both."""
    scores: list[Score] = []
    if config.hypotheses:
        hypotheses, references = (list(read_lines(name)) for name in (config.hypotheses, config.references))
        scores += text_scores(hypotheses, references, config.language)
    if config.links:
        predicted = [links for _, links in read_pharaoh(read_lines(config.links), config.links)]
        gold = read_gold(read_lines(config.gold), config.gold, sentences=len(predicted))
        scores.append(alignment_error_rate(predicted, gold))
    return scores


def evaluate_run(config: DictConfig) -> list[Score]:
    """Translate a split with a run and score it; attention too, where there are gold links."""
    run = Run.find(config.run, config.runs_dir)
    say(f"run: {run.folder}")
    data = OmegaConf.merge(run.config.data, {"path": config.data.path} if config.data.path else {})
    corpus: Corpus = build(data)
    pairs = corpus.load(config.data.split)
    sources, references = list(pairs["source"]), list(pairs["target"])
    translator = Translator.from_config(config, run)
    gold = list(read_lines(config.gold)) if config.gold else corpus.alignments(config.data.split)
    name = config.gold or f"gold links of {config.data.split}"
    alignment = attention_score(translator, sources, references, gold, name) if gold is not None else None
    if config.gold and not alignment:
        raise InputError(f"gold={config.gold}: a model without attention has no links to score; leave it out")
    translations = translator.stream(sources, batch_size=config.batch_size)
    hypotheses = [translation.text for translation in tell_progress(translations, say)]
    if config.output:
        keep(hypotheses, Path(config.output))
    scores = text_scores(hypotheses, references, config.language or corpus.target)
    return [*scores, alignment] if alignment else scores


def attention_score(
    translator: Translator, sources: list[str], references: list[str], lines: list[str], name: str
) -> AlignmentScore | None:
    """Score attention against gold links that are counted in the words of these sentences."""
    gold = read_gold(lines, name, sentences=len(sources))
    sizes = [(len(words(source)), len(words(target))) for source, target in zip(sources, references, strict=True)]
    check_gold(gold, sizes, name)
    return alignment_score(translator, sources, references, gold)


def keep(lines: list[str], path: Path) -> None:
    """Write translations to a file, one a line."""
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise InputError(f"output={path} cannot be written ({error.strerror}); give another file") from error


def text_scores(hypotheses: list[str], references: list[str], language: str | None) -> list[Score]:
    """BLEU with its confidence interval, chrF and TER."""
    return [
        bleu(hypotheses, references, language=language, confidence=True),
        chrf(hypotheses, references),
        ter(hypotheses, references, language=language),
    ]


if __name__ == "__main__":
    command("evaluate", evaluate)
