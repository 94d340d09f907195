"""Tokenised splits: the ids are those of the tokenizer, and the same text is not cut twice."""

import shutil

import datasets
import numpy as np
import pytest

from s2s.text import tokenised
from s2s.text.corpus import Corpus
from s2s.text.tokenised import tokenise
from s2s.text.tokenizer import EOS, Tokenizer, TokenizerRecipe

SOURCES = ["Der Hund schläft .", "", "Die Katze sieht den Hund , der schläft ."] * 7
TARGETS = ["the dog sleeps .", "nothing", "the cat sees the dog that sleeps ."] * 7


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def load(tmp_path):
    """Write a corpus; reading it again gives a new dataset of the same files."""
    for suffix, lines in (("de", SOURCES), ("en", TARGETS)):
        (tmp_path / f"train.{suffix}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    corpus = Corpus(source="de", target="en", label="tiny", path=str(tmp_path))
    return lambda: corpus.load("train")


@pytest.fixture(scope="module")
def tokenizers():
    source, target = ([text for text in texts if text] for texts in (SOURCES, TARGETS))
    return tuple(TokenizerRecipe(algorithm="bpe", vocabulary_size=40).train(side) for side in (source, target))


@pytest.fixture
def encoded(monkeypatch):
    """Every text that is handed to a tokenizer from here on."""
    texts = []
    original = Tokenizer.encode

    def counting(self, batch, **options):
        texts.extend(batch)
        return original(self, batch, **options)

    monkeypatch.setattr(Tokenizer, "encode", counting)
    return texts


def as_lists(ids):
    return [[side[row].tolist() for row in range(len(side))] for side in (ids.source, ids.target)]


def test_ids_are_those_of_encoding_by_hand(load, tokenizers):
    source, target = tokenizers
    ids = tokenise(load(), source, target)
    assert as_lists(ids) == [source.encode(SOURCES), target.encode(TARGETS)]
    assert len(ids) == 21
    assert ids.source[1].tolist() == [EOS]
    assert ids.source.lengths.tolist() == [len(sentence) for sentence in source.encode(SOURCES)]
    assert ids.source.offsets.dtype == np.int64


def test_the_same_text_is_read_back_from_the_cache(load, tokenizers, encoded):
    first = as_lists(tokenise(load(), *tokenizers))
    assert sorted(encoded) == sorted(SOURCES + TARGETS)
    encoded.clear()
    assert as_lists(tokenise(load(), *tokenizers)) == first
    assert encoded == []


def test_another_tokenizer_or_another_side_is_another_cache(load, tokenizers, encoded):
    source, target = tokenizers
    tokenise(load(), source, target)
    other = TokenizerRecipe(algorithm="char", vocabulary_size=40).train(text for text in TARGETS if text)
    for pair in ((source, other), (target, source), (source, Tokenizer(target.model, backwards=True))):
        encoded.clear()
        ids = as_lists(tokenise(load(), *pair))
        assert len(encoded) == 42
        assert ids == [pair[0].encode(SOURCES), pair[1].encode(TARGETS)]


def test_some_rows_of_a_split_are_those_rows(load, tokenizers):
    rows = [5, 2, 9]
    tokenise(load(), *tokenizers)
    ids = tokenise(load().select(rows), *tokenizers)
    expected = zip(tokenizers, (SOURCES, TARGETS), strict=True)
    assert as_lists(ids) == [side.encode([texts[row] for row in rows]) for side, texts in expected]


def test_sampled_ids_follow_the_seed_and_are_not_cached(load, tokenizers, encoded):
    dataset = load()

    def sample(seed):
        encoded.clear()
        ids = as_lists(tokenise(dataset, *tokenizers, sampling=0.5, seed=seed))
        assert len(encoded) == 42
        return ids

    assert sample("1") == sample("1")
    assert sample("1") != sample("2")
    for side, texts, sampled in zip(tokenizers, (SOURCES, TARGETS), sample("3"), strict=True):
        assert [side.decode(ids) for ids in sampled] == texts
    assert as_lists(tokenise(dataset, *tokenizers)) == [
        side.encode(texts) for side, texts in zip(tokenizers, (SOURCES, TARGETS), strict=True)
    ]


def test_the_same_text_in_another_place_is_found_in_the_cache(load, tokenizers, encoded, tmp_path):
    first = as_lists(tokenise(load(), *tokenizers))
    encoded.clear()
    other = datasets.Dataset.from_dict({"target": TARGETS, "source": SOURCES})
    assert as_lists(tokenise(other, *tokenizers)) == first
    assert as_lists(tokenise(datasets.concatenate_datasets([other.select([0]), other.skip(1)]), *tokenizers)) == first
    assert encoded == []
    shifted = other.map(lambda row: {"source": row["source"] + " .", "target": row["target"]})
    assert as_lists(tokenise(shifted, *tokenizers))[0] == tokenizers[0].encode([f"{text} ." for text in SOURCES])


@pytest.mark.parametrize("sampling", [0.0, 0.5])
def test_several_processes_cut_as_one_does(tokenizers, monkeypatch, sampling):
    monkeypatch.setattr(tokenised, "PAIRS_AT_ONCE", 4)
    monkeypatch.setattr(tokenised, "TEXTS_AT_ONCE", 3)
    dataset = datasets.Dataset.from_dict({"source": SOURCES, "target": TARGETS})
    one = as_lists(tokenise(dataset, *tokenizers, sampling=sampling, seed="1", processes=1))
    shutil.rmtree(datasets.config.HF_DATASETS_CACHE / "s2s")
    several = as_lists(tokenise(dataset, *tokenizers, sampling=sampling, seed="1", processes=3))
    assert several == one
    if not sampling:
        assert one == [side.encode(texts) for side, texts in zip(tokenizers, (SOURCES, TARGETS), strict=True)]


def test_ids_are_mapped_and_nothing_is_left_of_sampled_ones(load, tokenizers):
    kept = tokenise(load(), *tokenizers)
    sampled = tokenise(load(), *tokenizers, sampling=0.5, seed="1")
    for ids in (kept, sampled):
        for array in (ids.source.values, ids.target.values, ids.source.offsets):
            assert isinstance(array.base, np.memmap)
    (folder,) = (datasets.config.HF_DATASETS_CACHE / "s2s").iterdir()
    assert sorted(file.name for file in folder.iterdir()) == [
        "source.offsets",
        "source.values",
        "target.offsets",
        "target.values",
    ]
