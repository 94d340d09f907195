"""python -m s2s.translate: text in, one line out for every line in."""

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from omegaconf import DictConfig

from s2s.config import command, say
from s2s.errors import InputError
from s2s.report.json_lines import json_line
from s2s.reranking import reranked
from s2s.run import Run
from s2s.text.lines import check_nothing_is_lost, opened, read_lines_as_they_come
from s2s.translator import Translation, Translator, tell_progress


def translate(config: DictConfig) -> None:
    """Translate the input as it comes; a heatmap shows the first line that has words."""
    if config.format not in ("text", "jsonl"):
        raise InputError(f"format={config.format} is unknown; expected text or jsonl")
    check_nothing_is_lost(written_files(config), [config.input], overwrite=config.overwrite)
    runs = Run.find_all(config.run, config.runs_dir)
    names = ", ".join(str(run.folder) for run in runs)
    say(f"run: {names}")
    if config.to is None and (languages := runs[0].tagged_languages()):
        raise InputError(f"{names} translates into {', '.join(languages)}; say into which, such as to={languages[0]}")
    translator = reranked(Translator.from_config(config, runs), config, runs)
    if config.heatmap and not translator.has_attention:
        raise InputError(f"heatmap={config.heatmap}: {names} has no attention to draw; leave heatmap= out")
    write = partial(text_lines, n_best=config.n_best) if config.format == "text" else everything
    heatmap = config.heatmap
    with opened(config.input, "rb") as source, opened(config.output, "wb") as output:
        found = translations(translator, source, n_best=config.n_best, batch_size=config.batch_size)
        for translation in tell_progress(found, say):
            output.write((write(translation) + "\n").encode("utf-8"))
            output.flush()
            if heatmap and translation.has_words:
                say(f"heatmap: {heatmap}\n{translation.draw(heatmap)}".strip())
                heatmap = None


def written_files(config: DictConfig) -> list[str]:
    """The files that are to be written; raise an InputError for a heatmap that is no picture."""
    if not config.heatmap:
        return [str(config.output)]
    from s2s.report.picture import checked_path  # as matplotlib takes a while to import

    return [str(config.output), str(checked_path(config.heatmap, "heatmap"))]


def translations(translator: Translator, source: BinaryIO, *, n_best: int, batch_size: int) -> Iterator[Translation]:
    """Translate lines as they come."""
    row = 0
    for lines in read_lines_as_they_come(source):
        yield from translator(lines, n_best=n_best, batch_size=batch_size, first_row=row)
        row += len(lines)


def text_lines(translation: Translation, *, n_best: int) -> str:
    """The translation alone; of several hypotheses a line each, rank, score and text, or one line without words."""
    if n_best == 1 or not translation.has_words:
        return translation.text
    ranked = enumerate((translation, *translation.alternatives), 1)
    return "\n".join(f"{rank}\t{one.score:.4f}\t{one.text}" for rank, one in ranked)


def everything(translation: Translation) -> str:
    """Everything about a translation and its alternatives on one line."""
    return json_line(translation.as_dict())


if __name__ == "__main__":
    command("translate", translate)
