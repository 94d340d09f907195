"""What a finished run shows: its scores, some translations and a picture."""

from collections.abc import Callable

from s2s.report.metrics import bleu, chrf
from s2s.run import Run
from s2s.translator import Translator, tell_progress

__all__ = ["show_result"]

SHOWN = 3


def show_result(
    run: Run, split: str, sources: list[str], references: list[str], *, language: str, say: Callable[[str], None]
) -> None:
    """Translate a split with the run's best weights, print scores and translations, and mark the run as finished.

    Args:
        run: the run.
        split: name of the split, printed with every score.
        sources, references: its pairs.
        language: code of the target language.
        say: takes each line that is no result.
    """
    translator = Translator.load(run, device=run.config.device)
    translations = list(tell_progress(translator.stream(sources), say))
    hypotheses = [translation.text for translation in translations]
    scores = [bleu(hypotheses, references, language=language), chrf(hypotheses, references)]
    for score in scores:
        print(f"{split} {score}")
    shown = [row for row, translation in enumerate(translations) if translation.source_tokens][:SHOWN]
    for row in shown:
        print(f"\nsource     {sources[row]}\ntranslated {hypotheses[row]}\nreference  {references[row]}")
    run.finish({score.name: {"value": score.value, "signature": score.signature, "split": split} for score in scores})
    if shown:
        heatmap = run.folder / "heatmap.png"
        if notice := translations[shown[0]].draw(heatmap):
            say(notice)
        print(f"\nheatmap    {heatmap}")
        print(f'next       echo "{sources[shown[0]]}" | python -m s2s.translate run={run.folder}')
