"""Segmentations drawn at random: SentencePiece's own distributions, the same draws in every process."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from s2s.text.segmentation import SegmentationSampler
from s2s.text.tokenizer import EOS, UNK, Tokenizer, TokenizerRecipe

TEXTS = [
    "Der kleine Hund schläft im großen Garten.",
    "Ein großer Hund und ein kleiner Garten.",
    "我喜欢《红楼梦》！",
    "他问：“你是谁？”",
    "<bt> Der Hund",
    "ein Ω im Garten",
    "",
]
SAMPLE = Path(__file__).parents[2] / "data" / "sample"
LEARNT = TEXTS[:5] + [
    line
    for code, lines in (("de", 400), ("zh", 400))
    for line in (SAMPLE / f"valid.{code}").read_text(encoding="utf-8").splitlines()[:lines]
]
ALGORITHMS = ["bpe", "unigram"]
both = pytest.mark.parametrize("algorithm", ALGORITHMS)


def trained(algorithm, **options):
    return TokenizerRecipe(algorithm=algorithm, vocabulary_size=1100, symbols=["<bt>"], **options).train(LEARNT)


TOKENIZERS = {algorithm: trained(algorithm) for algorithm in ALGORITHMS}


@pytest.mark.parametrize(("algorithm", "almost_none"), [("bpe", 1e-12), ("unigram", 1e6)])
def test_without_chance_what_is_drawn_is_the_best_segmentation(algorithm, almost_none):
    tokenizer = TOKENIZERS[algorithm]
    assert tokenizer.encode(TEXTS, sampling=almost_none, seed="any") == tokenizer.encode(TEXTS)


def test_where_every_merge_is_passed_over_bpe_leaves_characters():
    assert TOKENIZERS["bpe"].pieces_of(TOKENIZERS["bpe"].encode(["Hund"], sampling=1.0)[0]) == [*"▁Hund", "</s>"]


@both
@pytest.mark.parametrize("text", [*LEARNT[20].split()[:2], LEARNT[-1]])
def test_draws_are_distributed_as_sentencepiece_s(algorithm, text):
    tokenizer, draws, strength = TOKENIZERS[algorithm], 4000, {"bpe": 0.2, "unigram": 0.2}[algorithm]
    processor = tokenizer._processor
    theirs = [
        Counter(
            tuple(ids)
            for ids in processor.encode(
                [text] * draws, out_type=int, add_eos=True, enable_sampling=True, alpha=strength, nbest_size=-1
            )
        )
        for _ in range(2)
    ]
    ours = Counter(map(tuple, tokenizer.encode([text] * draws, sampling=strength, seed="any")))

    def distance(one, other):
        return sum(abs(one[key] - other[key]) for key in one | other) / (2 * draws)

    assert len(ours) > 1
    assert distance(ours, theirs[0]) < 1.5 * distance(*theirs) + 0.02


def test_a_unigram_draw_has_the_probability_of_its_scores():
    scores = [0.0, 0.0, 0.0, 0.0, -1.0, -2.0, -0.5, -2.2]
    sampler = SegmentationSampler(["", "", "", "", "▁", "a", "b", "▁a"], scores, special=4, unknown=1)
    generator = random.Random(0)
    drawn = Counter(tuple(sampler.draw("ab", 0.5, generator)) for _ in range(20_000))
    odds = drawn[4, 5, 6] / drawn[7, 6]
    assert odds == pytest.approx(2.718281828 ** (0.5 * (-1.0 - 2.0 + 2.2)), rel=0.05)


@both
def test_unknown_neighbours_are_one_and_a_symbol_stays_whole(algorithm):
    tokenizer = TOKENIZERS[algorithm]
    for seed in range(20):
        (ids,) = tokenizer.encode(["<bt> ΩΩ Hund"], sampling=0.4, seed=str(seed))
        assert ids.count(UNK) == 1
        assert "<bt>" in tokenizer.pieces_of(ids)
        assert ids[-1] == EOS


@both
def test_backwards_turns_what_is_drawn_round(algorithm):
    forwards = TOKENIZERS[algorithm]
    backwards = Tokenizer(forwards.model, backwards=True)
    drawn, turned = (one.encode(TEXTS, sampling=0.3, seed="1") for one in (forwards, backwards))
    assert turned == [[*ids[:-1][::-1], EOS] for ids in drawn]


@both
def test_another_process_draws_the_same(algorithm, tmp_path):
    TOKENIZERS[algorithm].save(tmp_path / "model")
    program = (
        "import sys; from pathlib import Path; from s2s.text.tokenizer import Tokenizer; "
        "print(Tokenizer.load(Path(sys.argv[1])).encode(['Der kleine Hund schläft.'] * 5, sampling=0.3, seed='7'))"
    )
    line = [sys.executable, "-c", program, str(tmp_path / "model")]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    assert told == str(TOKENIZERS[algorithm].encode(["Der kleine Hund schläft."] * 5, sampling=0.3, seed="7"))
