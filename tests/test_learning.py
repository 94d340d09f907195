"""What only minutes of training can show; left out unless asked for: ``python -m pytest -m slow``."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kneser_ney import KneserNey

from s2s import Translator
from s2s.report.metrics import text_perplexities, words_and_characters
from s2s.run import Run
from s2s.text.tokenizer import normalise

MULTI30K = Path(__file__).parents[2] / "shared" / "data" / "multi30k"

pytestmark = pytest.mark.slow


def s2s(command, *overrides, folder):
    """Run a command in a folder; return what it prints."""
    environment = {**os.environ, "HF_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", f"s2s.{command}", *overrides],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("model", "source", "expected"), [("luong", "de", 95), ("bahdanau", "de", 95), ("luong", "zh", 90)]
)
def test_the_sample_is_learnt(model, source, expected, tmp_path):
    printed = s2s("train", f"model={model}", f"data.source={source}", "name=sample", folder=tmp_path)
    assert float(re.search(r"test BLEU = ([\d.]+)", printed)[1]) >= expected
    assert (tmp_path / "runs/sample/heatmap.png").stat().st_size > 10_000


def test_attention_on_the_sample_is_alignment(tmp_path):
    s2s("train", "name=sample", folder=tmp_path)
    scores = json.loads(s2s("evaluate", "run=runs/sample", "format=json", folder=tmp_path))
    assert scores["AER"]["value"] < 15


@pytest.mark.skipif(not MULTI30K.is_dir(), reason=f"{MULTI30K} is not there")
def test_the_batch_size_changes_no_line_and_the_search_scores_as_the_scorer_does(tmp_path):
    options = ("sizes.hidden=192", "sizes.embedding=128", "training.epochs=1", "training.criterion=loss", "name=small")
    s2s("train", "data=multi30k", f"data.path={MULTI30K}", *options, folder=tmp_path)
    with (MULTI30K / "test.jsonl").open(encoding="utf-8") as file:
        sources = [json.loads(line)["de"] for line in file]
    translator = Translator.load(tmp_path / "runs/small", device="cpu")
    together, alone = translator(sources, batch_size=64), translator(sources, batch_size=1)
    assert [one.text for one in together] == [one.text for one in alone]
    # Text may be cut into other pieces than the search wrote; those that are not score the same.
    scored = translator.score(sources, [one.text for one in together])
    same = [
        (found, given)
        for found, given in zip(together, scored, strict=True)
        if found.target_tokens == given.target_tokens
    ]
    assert len(same) > 900
    for found, given in same:
        assert found.log_prob == pytest.approx(given.log_prob, abs=1e-3)
        assert found.attention == pytest.approx(given.attention, abs=1e-4)


@pytest.mark.parametrize("language", ["de", "en", "zh"])
def test_a_language_model_finds_the_right_one_of_two_sentences_likelier(language, tmp_path):
    s2s("train", "model=lm", "data=sample_text", f"data.target={language}", "name=lm", folder=tmp_path)
    pairs = Path(__file__).parents[1] / "data" / "sample" / f"minimal_pairs.{language}.tsv"
    printed = s2s("score", "run=runs/lm", f"minimal_pairs={pairs}", folder=tmp_path)
    right, count = re.search(r"^all = ([\d.]+) \(pairs:(\d+)\)", printed, re.MULTILINE).groups()
    assert float(right) >= 95
    assert int(count) >= 1000


@pytest.mark.skipif(not MULTI30K.is_dir(), reason=f"{MULTI30K} is not there")
def test_a_language_model_predicts_better_than_n_grams_of_the_same_pieces(tmp_path):
    options = ("data=multi30k", f"data.path={MULTI30K}", "training.epochs=2", "name=lm")
    s2s("train", "model=lm", *options, folder=tmp_path)
    result = json.loads((tmp_path / "runs/lm/result.json").read_text())
    tokenizer = Run(tmp_path / "runs/lm").tokenizers()[1]
    lines = {
        split: [json.loads(line)["en"] for line in (MULTI30K / f"{split}.jsonl").read_text("utf-8").splitlines()]
        for split in ("train", "test")
    }
    n_grams = KneserNey.of(tokenizer.encode(lines["train"]), order=4, vocabulary_size=len(tokenizer))
    nll = -sum(sum(n_grams.log_probs(sentence)) for sentence in tokenizer.encode(lines["test"]))
    per_word, _ = text_perplexities(nll, map(words_and_characters, map(normalise, lines["test"])))
    assert result["perplexity per word"]["value"] < per_word.value
    assert result["perplexity per word"]["signature"] == per_word.signature
