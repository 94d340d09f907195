"""What a run trains on: splits, hold-out and what is left out."""

from dataclasses import replace

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


def with_extra(corpus, folder, tag=None):
    (folder / "back.de").write_text("Maus\nRatte\n", encoding="utf-8")
    (folder / "back.en").write_text("mouse\nrat\n", encoding="utf-8")
    return replace(corpus, extra=[str(folder / "back.de"), str(folder / "back.en")], extra_tag=tag)


def test_extra_pairs_are_trained_on_and_never_held_out(corpus, tmp_path):
    said = []
    train, valid = split_pairs(with_extra(corpus(train=40), tmp_path), said.append)
    assert list(valid["source"]) == ["Haus 19", "Haus 39"]
    assert list(train["source"])[-3:] == ["Haus 38", "Maus", "Ratte"]
    assert list(train["target"])[-2:] == ["mouse", "rat"]
    assert said[-1] == "extra: 2 training pairs"


def test_extra_pairs_lie_where_one_works_and_not_beside_the_corpus(corpus, tmp_path, monkeypatch):
    extended = with_extra(corpus(train=40), tmp_path)
    monkeypatch.chdir(tmp_path)
    train, _ = split_pairs(replace(extended, extra=["back.de", "back.en"]), print)
    assert list(train["source"])[-2:] == ["Maus", "Ratte"]


def test_the_sources_of_extra_pairs_begin_with_their_tag_and_no_others_do(corpus, tmp_path):
    train, _ = split_pairs(with_extra(corpus(train=50, dev=3), tmp_path, tag="<bt>"), print)
    assert list(train["source"])[-3:] == ["Haus 49", "<bt> Maus", "<bt> Ratte"]
    assert list(train["target"])[-1] == "rat"


def test_a_tag_without_pairs_to_mark_is_refused(corpus):
    with pytest.raises(InputError, match=r"data.extra_tag=<bt> has no pairs to mark; give data.extra=, or leave it"):
        split_pairs(replace(corpus(train=50), extra_tag="<bt>"), print)


def test_extra_pairs_have_no_links_to_be_guided_by(corpus, tmp_path):
    made = corpus(train=40)
    (tmp_path / "corpus" / "train.de-en.align").write_text("0-0 1-1\n" * 40, encoding="utf-8")
    with pytest.raises(InputError, match=r"data.extra has no word links for training.guided_alignment"):
        split_pairs(with_extra(made, tmp_path), print, linked=True)
