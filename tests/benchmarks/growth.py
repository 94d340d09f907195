"""How time and memory grow with the data, measured by s2s.bench and drawn on logarithmic axes.

    python tests/benchmarks/growth.py CORPUS RUN FOLDER PICTURE

CORPUS is a folder with train.jsonl, val.jsonl and test.jsonl of German and English, RUN a finished run of it. Both are
taken 1, 10 and 100 times over: the training pairs, and the test sentences; and 1 to 16 sentences are written on one
line. FOLDER keeps what was measured, and what it has is not measured again; an hour and 3 GB otherwise.
"""

import json
import subprocess
import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from s2s.report.picture import INK, save_picture

TIMES = (1, 10, 100)
SENTENCES_ON_A_LINE = (1, 2, 4, 8, 16)
LINES = 128
COLOURS = ("#0072b2", "#d55e00")
SPEED, MEMORY = "target tokens/s", "peak resident memory in MB"


def main(corpus: Path, run: Path, folder: Path, picture: Path) -> None:
    """Measure what is not measured yet, print it and draw it."""
    folder.mkdir(parents=True, exist_ok=True)
    sentences = [json.loads(line)["de"] for line in (corpus / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    training = {times: trained(corpus, folder, times) for times in TIMES}
    greedy, lengths = {}, {}
    for times in TIMES:
        options = ["bench.beams=[1]", "bench.repeats=1"]
        greedy[times] = translated(sentences * times, run, folder / f"sentences{times}", 1, options)
    for number in SENTENCES_ON_A_LINE:
        joined = [" ".join(sentences[i : i + number]) for i in range(0, len(sentences) - number + 1, number)]
        lines = (joined * number)[:LINES]
        lengths[number] = translated(lines, run, folder / f"lengths{number}", 5, ["bench.beams=[5]", "bench.repeats=3"])
    pairs = sum(1 for _ in (corpus / "train.jsonl").open(encoding="utf-8"))
    draw(
        {pairs * times: measured for times, measured in training.items()},
        {len(sentences) * times: measured for times, measured in greedy.items()},
        lengths,
        picture,
    )


def trained(corpus: Path, folder: Path, times: int) -> dict[str, float]:
    """Speed and memory of training on the corpus so many times over."""
    data = folder / f"pairs{times}"
    data.mkdir(exist_ok=True)
    for split in ("train", "val", "test"):
        text = (corpus / f"{split}.jsonl").read_text(encoding="utf-8")
        with (data / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for _ in range(times if split == "train" else 1):
                file.write(text)
    options = ["task=train", "data=multi30k", f"data.path={data}", "training.batch_tokens=4096", "bench.repeats=3"]
    return measured(data.with_suffix(".json"), options)


def translated(lines: list[str], run: Path, name: Path, beam: int, options: list[str]) -> dict[str, float]:
    """Tokens and sentences a second, memory, and the seconds that the lines took in all."""
    name.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = [f"run={run}", f"input={name.with_suffix('.txt')}", f"bench.sentences={len(lines)}", "bench.batches=[64]"]
    figures = measured(name.with_suffix(".json"), ["task=decode", *given, *options])
    rate = figures[f"beam {beam}, batch 64: sentences/s"]
    return {**figures, "seconds": len(lines) / rate, "words": sum(len(line.split()) for line in lines) / len(lines)}


def measured(path: Path, options: list[str]) -> dict[str, float]:
    """Medians of what the bench measures with these options, kept in a file."""
    if not path.exists():
        command = [sys.executable, "-m", "s2s.bench", "format=json", *options]
        path.write_text(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout, encoding="utf-8")
    medians = {
        name: spread["median"] for name, spread in json.loads(path.read_text(encoding="utf-8"))["figures"].items()
    }
    print(path.stem, {name: round(value, 1) for name, value in medians.items()}, flush=True)
    return medians


def draw(
    training: dict[int, dict[str, float]],
    greedy: dict[int, dict[str, float]],
    lengths: dict[int, dict[str, float]],
    picture: Path,
) -> None:
    """Four panels: time of training, of translating by sentences and by length, and memory of both."""
    figure = Figure(figsize=(9, 6.4), facecolor="white")
    FigureCanvasAgg(figure)
    (time, sentences), (length, memory) = figure.subplots(2, 2)
    figure.subplots_adjust(hspace=0.55, wspace=0.3)
    points(time, {pairs: 1e3 / one[SPEED] for pairs, one in training.items()}, "training pairs", 0)
    time.set_title("training: ms per target token", loc="left", color=INK, fontsize=10)
    points(sentences, {number: one["seconds"] for number, one in greedy.items()}, "sentences", 1)
    sentences.set_title("translating: seconds in all, greedy", loc="left", color=INK, fontsize=10)
    by_words = {one["words"]: 1e3 * one["seconds"] / LINES for one in lengths.values()}
    points(length, by_words, "words in a source", 1)
    length.set_title("translating: ms a source, beam 5", loc="left", color=INK, fontsize=10)
    for name, of, slope in (("training", training, 0), ("translating", greedy, 0)):
        points(memory, {number: one[MEMORY] for number, one in of.items()}, "pairs or sentences", slope, label=name)
    memory.set_title("peak memory in MB", loc="left", color=INK, fontsize=10)
    memory.legend(frameon=False, fontsize=9, labelcolor=INK)
    save_picture(figure, picture, "picture")


def points(axes, values: dict[float, float], title: str, slope: int, *, label: str | None = None) -> None:
    """Draw values on logarithmic axes, and dashed what grows by this power."""
    xs, ys = list(values), list(values.values())
    colour = COLOURS[len(axes.lines) // 2 % len(COLOURS)]
    axes.loglog(xs, ys, marker="o", color=colour, linewidth=1.6, label=label)
    axes.loglog(xs, [ys[0] * (x / xs[0]) ** slope for x in xs], linestyle=":", color="#777777", linewidth=1)
    axes.set_xlabel(title, color=INK, fontsize=9)
    low, high = min([*axes.get_ylim(), *ys]), max([*axes.get_ylim(), *ys])
    axes.set_ylim(min(low, 10**-0.5 * ys[0]), max(high, 10**0.5 * ys[0]))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="#e5e5e5", linewidth=0.6, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    for x, y in zip(xs, ys, strict=True):
        text = f"{y:,.3g}" if y < 1000 else f"{y:,.0f}"
        axes.annotate(text, (x, y), textcoords="offset points", xytext=(0, 6), ha="center", fontsize=8, color=INK)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
