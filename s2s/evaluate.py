"""python -m s2s.evaluate: BLEU, chrF and TER with signatures, of a run on a split or of a file against a file."""

import json
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from s2s.config import build, command, say
from s2s.errors import InputError
from s2s.report.metrics import Score, bleu, chrf, ter
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
    scores = evaluate_files(config) if config.hypotheses else evaluate_run(config)
    if config.format == "json":
        named = {score.name: score.as_dict() for score in scores}
        print(json.dumps(named, ensure_ascii=False, indent=1))
    else:
        print("\n".join(str(score) for score in scores))


def evaluate_files(config: DictConfig) -> list[Score]:
    """Score a file of translations against a file of references."""
    hypotheses, references = (list(read_lines(Path(name))) for name in (config.hypotheses, config.references))
    return text_scores(hypotheses, references, config.language)


def evaluate_run(config: DictConfig) -> list[Score]:
    """Translate a split with a run and score it; alignment too, where the split has gold links."""
    run = Run.find(config.run, config.runs_dir)
    say(f"run: {run.folder}")
    data = OmegaConf.merge(run.config.data, {"path": config.data.path} if config.data.path else {})
    corpus: Corpus = build(data)
    pairs = corpus.load(config.data.split)
    translator = Translator.from_config(config, run)
    translations = translator.stream(pairs["source"], batch_size=config.batch_size)
    hypotheses = [translation.text for translation in tell_progress(translations, say)]
    if config.output:
        keep(hypotheses, Path(config.output))
    scores = text_scores(hypotheses, list(pairs["target"]), config.language or corpus.target)
    gold = corpus.alignments(config.data.split)
    if gold is not None and (score := alignment_score(translator, list(pairs["source"]), list(pairs["target"]), gold)):
        scores.append(score)
    return scores


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
