"""What a finished run shows and keeps: its scores and cost, some translations and a picture."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from s2s.model.cost import count_parameters, multiply_adds
from s2s.model.seq2seq import Seq2Seq
from s2s.report.alignment import AlignmentScore, Gold, alignment_error_rate, hard_links, read_gold
from s2s.report.metrics import Score
from s2s.run import Run
from s2s.training.processes import ALONE, Processes
from s2s.training.validation import of_text, validate
from s2s.translator import Translator, tell_progress

__all__ = ["alignment_score", "result_of", "show_perplexity", "show_result", "training_summary"]

SHOWN = 3


def show_result(
    run: Run,
    split: str,
    sources: list[str],
    references: list[str],
    *,
    gold: list[str] | None,
    language: str,
    say: Callable[[str], None],
    directions: Mapping[str, tuple[slice, str]] = MappingProxyType({}),
    processes: Processes = ALONE,
) -> None:
    """Translate a split with the run's best weights, print scores and translations, and mark the run as finished.

    Args:
        run: the run.
        split: name of the split, printed with every score.
        sources, references: its pairs.
        gold: their word alignments, or None.
        language: code of the target language.
        say: takes each line that is no result.
        directions: parts of it that are scored by themselves, too, with their target languages.
        processes: which share the sentences; the first one shows what came of them.
    """
    translator = Translator.load(run, device=processes.device(run.config.device))
    own = list(tell_progress(translator.stream(processes.share(sources)), say))
    translations = processes.gathered(own)
    if not processes.is_first:
        return
    hypotheses = [translation.text for translation in translations]
    criterion = run.config.training.criterion
    scores: list[Score] = list(
        of_text(hypotheses, references, language=language, criterion=criterion, confidence=True).values()
    )
    links = None if gold is None else read_gold(gold, f"gold links of {split}", sentences=len(sources))
    if links is not None and (alignment := alignment_score(translator, sources, references, links)):
        scores.append(alignment)
    for score in scores:
        print(f"{split} {score}")
    for name, (rows, of) in directions.items():
        for score in of_text(hypotheses[rows], references[rows], language=of, criterion=criterion).values():
            print(f"{split} {name} {score}")
    shown = [row for row, translation in enumerate(translations) if translation.source_tokens][:SHOWN]
    for row in shown:
        print(f"\nsource     {sources[row]}\ntranslated {hypotheses[row]}\nreference  {references[row]}")
    run.finish(result_of(translator.model, scores, split, references, training_summary(list(run.records()))))
    if shown:
        pictured = translations[shown[0]]
        if pictured.attention.size:
            heatmap = run.folder / "heatmap.png"
            if notice := pictured.draw(heatmap):
                say(notice)
            print(f"\nheatmap    {heatmap}")
        text, to = sources[shown[0]], ""
        if run.tagged_languages():
            tag, _, text = text.partition(" ")
            to = f" to={tag.removeprefix('<2').removesuffix('>')}"
        print(f'next       echo "{text}" | python -m s2s.translate run={run.folder}{to}')


def show_perplexity(run: Run, split: str, texts: list[str]) -> None:
    """Score a split with a language model's best weights, print how well it is predicted, and mark the run as finished.

    Args:
        run: the run.
        split: name of the split, printed with every score.
        texts: its lines.
    """
    translator, settings = Translator.load(run, device=run.config.device), run.config.training
    running = bool(settings.get("truncated_length"))
    scores = list(
        validate(
            translator,
            [""] * len(texts),
            texts,
            language=run.config.data.target,
            batch_tokens=settings.batch_tokens,
            criterion="loss",
            running=running,
        ).values()
    )
    for score in scores:
        print(f"{split} {score}")
    run.finish(result_of(translator.model, scores, split, texts, training_summary(list(run.records()))))
    print(f"next       python -m s2s.sample run={run.folder}")


def result_of(
    model: Seq2Seq,
    scores: Sequence[Score],
    split: str,
    references: Sequence[str],
    training: dict[str, float],
) -> dict[str, Any]:
    """What a run keeps of its end: scores with the split they are of, what the model costs, how it was trained."""
    test_set = {"split": split, "references_sha256": hashlib.sha256("\n".join(references).encode()).hexdigest()}
    cost = {"parameters": count_parameters(model), "multiply_adds_per_token": multiply_adds(model)}
    return {
        **{score.name: {**score.as_dict(), **test_set} for score in scores},
        "model": cost,
        "training": training,
    }


def alignment_score(
    translator: Translator, sources: Sequence[str], targets: Sequence[str], gold: Sequence[Gold]
) -> AlignmentScore | None:
    """Alignment error rate, in percent, of the attention under forced decoding of the references.

    None for a model without attention.
    """
    forced = translator.score(sources, targets)
    if not any(one.attention.size for one in forced):
        return None
    return alignment_error_rate((hard_links(one.words()) for one in forced), gold)


def training_summary(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Sum up the records of a run's training.

    Returns:
        ``seconds`` up to the last record, validations included; ``updates`` up to it; ``validation_perplexity`` of the
        best checkpoint; and ``tokens_per_second``, target tokens over the stretches of training that no validation
        falls into. What no record tells is left out.
    """
    summary: dict[str, float] = {}
    records = [record for record in records if record.get("split") in ("train", "valid")]
    if records:
        summary |= {name: max(record[name] for record in records) for name in ("seconds", "updates")}
    if best := [record["perplexity"] for record in records if record["split"] == "valid" and record["best"]]:
        summary["validation_perplexity"] = best[-1]
    start = {"split": "train", "seconds": 0.0}
    stretches = [
        (later["seconds"] - earlier["seconds"], later["tokens_per_second"])
        for earlier, later in pairwise([start, *records])
        if earlier["split"] == later["split"] == "train"
    ]
    if sum(seconds for seconds, _ in stretches):
        tokens = sum(seconds * speed for seconds, speed in stretches)
        summary["tokens_per_second"] = tokens / sum(seconds for seconds, _ in stretches)
    return summary
