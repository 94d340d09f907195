"""What a run trains on: splits, hold-out and what is left out."""

import pytest

from s2s.errors import InputError
from s2s.text.corpus import Corpus
from s2s.training.data import split_pairs


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A corpus of numbered pairs, given the sizes of its splits."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "corpus").mkdir()

    def make(**sizes):
        for split, size in sizes.items():
            lines = "".join(f"Haus {number}\thouse {number}\n" for number in range(size))
            (tmp_path / "corpus" / f"{split}.tsv").write_text(lines, encoding="utf-8")
        return Corpus(source="de", target="en", label="small", path=str(tmp_path / "corpus"))

    return make


def test_a_validation_split_is_taken_as_it_is(corpus):
    said = []
    train, valid = split_pairs(corpus(train=50, dev=3), said.append)
    assert (len(train), len(valid), said) == (50, 3, [])


def test_without_one_every_twentieth_training_pair_is_held_out_and_that_is_said(corpus):
    said = []
    train, valid = split_pairs(corpus(train=50), said.append)
    assert list(valid["source"]) == ["Haus 19", "Haus 39"]
    assert len(train) == 48
    assert not set(valid["source"]) & set(train["source"])
    assert said == ["no validation split: every 20th training pair is held out for it"]


def test_too_few_pairs_to_hold_any_out_ask_for_more(corpus):
    with pytest.raises(InputError, match="3 training pairs are too few to hold any out; add pairs, or a valid split"):
        split_pairs(corpus(train=3), print)
