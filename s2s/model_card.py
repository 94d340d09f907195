"""The README of a run that is given away: what it is, how it was made, what it is worth, and where that ends."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import OmegaConf

from s2s.run import Run

__all__ = ["model_card"]

HEADLINES = ("BLEU", "chrF2", "AER", "exact match", "perplexity", "perplexity per word", "bits per character")


Signature = Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]]
"""Of every file, what its graph takes and gives: type and shape by name."""


def model_card(run: Run, name: str, precision: str, graphs: Signature | None = None) -> str:
    """Write the card of a run, with the header by which model hubs sort it.

    Args:
        run: a finished run.
        name: what it is called.
        precision: of the weights that go with it.
        graphs: what takes the place of weights; None where these are there.
    """
    config: dict[str, Any] = OmegaConf.to_container(run.config)  # type: ignore[assignment]
    result = run.read_result()
    data, training = config["data"], config["training"]
    languages = [data.get("target")] if run.is_language_model else [data.get("source"), data.get("target")]
    task = "text-generation" if run.is_language_model else "translation"
    header = {"language": languages, "library_name": "s2s", "pipeline_tag": task, "tags": ["s2s", "rnn", task]}
    scores = [(score, result[score]) for score in HEADLINES if isinstance(result.get(score), Mapping)]
    cost = result.get("model", {})
    lines = [
        "---",
        yaml.safe_dump(header, allow_unicode=True, sort_keys=False).strip(),
        "---",
        "",
        f"# {name}",
        "",
        f"A recurrent {'language model' if run.is_language_model else 'translator with attention'}, "
        f"{' to '.join(map(str, languages))}, trained with s2s on {data.get('label')}.",
        "",
        "```python",
        "from s2s import Translator",
        "",
        f'model = Translator.from_pretrained("{name}")',
        "```",
        "",
        *(_graphs(graphs) if graphs else ()),
        "## Scores",
        "",
        *_table(("score", "value", "on", "signature"), _score_rows(scores)),
        "",
        "## Recipe",
        "",
        *_table(("option", "value"), _options(config)),
        "",
        "## Limits",
        "",
        *(f"- {line}" for line in _limits(run, training, cost, precision)),
        "",
    ]
    return "\n".join(lines)


GRAPHS = """\
## Graphs

`Translator` reads them where `pip install 's2s[onnx]'` has been done; they serve without it too.
`encoder.onnx` reads sentences, each ended by EOS (3), with PAD (0) behind the shorter ones; ids are those of
`tokenizer/source.model`, of text in Unicode's composed form (NFC) with single blanks. `step.onnx` writes a piece of
every row, given the one before it, first BOS (2); a sentence has one row, or several, as those of a beam. What a step
gives as `next_x` is `x` of the next one; all else stays as the encoder gave it. Greedy search with nothing but
SentencePiece and onnxruntime:

```python
import numpy as np
import onnxruntime
import sentencepiece

source, target = (sentencepiece.SentencePieceProcessor(f"tokenizer/{side}.model") for side in ("source", "target"))
encoder, step = (onnxruntime.InferenceSession(f"{graph}.onnx") for graph in ("encoder", "step"))


def run(graph, given):
    names = [one.name for one in graph.get_outputs()]
    return dict(zip(names, graph.run(names, {one.name: given[one.name] for one in graph.get_inputs()})))


def translate(text):
    ids = np.array([source.encode(text, add_eos=True)])
    state = run(encoder, {"ids": ids, "lengths": np.array([ids.shape[1]])})
    tokens, written = np.array([[2]]), []
    while tokens.item() != 3 and len(written) < 2 * ids.size + 10:
        found = run(step, {"tokens": tokens, **state})
        tokens = found["log_probs"][..., 3:].argmax(axis=2) + 3  # PAD, UNK and BOS are never written
        written.append(tokens.item())
        state |= {name.removeprefix("next_"): part for name, part in found.items() if name.startswith("next_")}
    return target.decode([piece for piece in written if piece != 3])
```
"""


def _graphs(graphs: Signature) -> Iterator[str]:
    """What graphs take and give, and how they are used without this toolkit."""
    yield GRAPHS
    rows = (
        (f"`{file}`", way, f"`{name}`", kind)
        for file, sides in graphs.items()
        for way, side in zip(("takes", "gives"), sides, strict=True)
        for name, kind in side.items()
    )
    yield from _table(("graph", "", "name", "type and shape"), rows)
    yield ""


def _table(titles: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _score_rows(scores: list[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[object, ...]]:
    """Each score with its interval, the split it is of, and how it was computed."""
    for name, score in scores:
        interval = f" ± {score['confidence']:.2f}" if "confidence" in score else ""
        yield name, f"{score['value']:.2f}{interval}", score.get("split", ""), score.get("signature", "")


def _options(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[object, ...]]:
    """Every option that is set, by its dotted name; where files lie on the machine of the training stays there."""
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _options(value, f"{name}.")
        elif value is not None and value != [] and not (name.startswith("data.") and key in PLACES):
            yield name, f"`{value}`"


PLACES = ("path", "train", "valid", "test", "extra")


def _limits(run: Run, training: Mapping[str, Any], cost: Mapping[str, Any], precision: str) -> Iterator[str]:
    """What a user should know before relying on it."""
    if "parameters" in cost:
        yield f"{cost['parameters']:,} weights in {precision}"
    if not training.get("truncated_length"):
        yield f"learnt from sentences of up to {training['longest']} pieces; longer lines are cut into sentences"
    yield "knows the words and the style of its training data, and what is wrong or unfair there is wrong here"
    if not run.is_language_model:
        yield "a translation may be fluent and wrong; attention shows what was looked at and is no proof of meaning"
