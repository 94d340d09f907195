"""Word links that guide attention: what they ask of it, and that training comes nearer to it."""

import numpy as np
import pytest
import torch

from s2s.errors import InputError
from s2s.report.alignment import hard_links, read_links
from s2s.report.sheet import View
from s2s.report.words import merge_pieces
from s2s.text.tokenizer import TokenizerRecipe
from s2s.train import prepare
from s2s.training import trainer as trainer_module
from s2s.training.guide import Guide
from s2s.training.loss import guided_alignment_loss

STILL = ("optimizer=sgd", "optimizer.lr=0", "training.steps=1")
PAIRS = {"das Haus ist alt .": "the house is old .", "我很喜欢你。": "I like you ."}


def guide_of(*links):
    """The guide of the first pairs, cut into characters."""
    tokenizer = TokenizerRecipe(algorithm="char", vocabulary_size=0).train([*PAIRS, *PAIRS.values()])
    return Guide(links, list(PAIRS), list(PAIRS.values()), tokenizer, tokenizer)


@pytest.fixture
def linked(digits):
    """Write the links of the toy corpus, where every word is the translation of its place, and take them away again."""
    file = digits / "train.de-en.align"
    lines = (digits / "train.de").read_text(encoding="utf-8").splitlines()
    file.write_text("".join(" ".join(f"{i}-{i}" for i in range(len(line.split()))) + "\n" for line in lines))
    yield file
    file.unlink()


def trained_on(run):
    trainer, _ = prepare(run)
    assert trainer.train()
    return trainer


def guidance_of(trainer):
    """Guided alignment loss of the training pairs, differentiable, and the number of their target tokens."""
    rows = list(range(60))
    batch = trainer.data.epoch(0).batch(rows)
    _, attention = trainer.model(batch)
    return guided_alignment_loss(attention, trainer.data.guide.batch(rows)), int(batch.target.mask.sum())


def test_a_guide_merged_to_words_has_the_links_it_came_from():
    links = ["0-0 1-1 2-2 3-3 4-4", "0-0 2-1 3-1 4-2 5-3"]
    guide = guide_of(*links)
    for row, line in enumerate(links):
        source, target = guide.source.pieces(guide.sources[row]), guide.target.pieces(guide.targets[row])
        weights = guide.batch([row])[0].numpy()
        view = merge_pieces(View(tuple(source), tuple(target), weights, (0.0,) * len(target)))
        assert hard_links(view) == read_links(line)[0]


def test_the_guide_of_a_batch_holds_each_pair_and_zeros_on_padding():
    guide = guide_of("0-0", "0-0 2-1")
    both, first, second = guide.batch([0, 1]), guide.batch([0])[0], guide.batch([1])[0]
    for padded, alone in ((both[0], first), (both[1], second)):
        assert torch.equal(padded[: alone.shape[0], : alone.shape[1]], alone)
        assert padded.sum().item() == pytest.approx(alone.shape[0])
        torch.testing.assert_close(alone.sum(dim=1), torch.ones(len(alone)))


def test_a_word_without_a_link_is_guided_to_the_end_of_the_source():
    weights = guide_of("")._pair(0)
    np.testing.assert_array_equal(weights[:, -1], 1)


def test_possible_links_count_where_there_is_no_sure_one():
    guides = [guide_of(links)._pair(0) for links in ("0-0 1?0 2?2", "0-0 2-2")]
    np.testing.assert_array_equal(*guides)


@pytest.mark.parametrize("choice", ["model=luong", "model=bahdanau", "model=gnmt_small", "model/window=local_p"])
@pytest.mark.usefixtures("linked")
def test_the_loss_is_added_per_target_token_with_its_weight(create_run, choice):
    sgd = ("optimizer=sgd", "optimizer.lr=1", "training.clip_norm=null", "scheduler=constant", "sizes.dropout=0")
    changes = []
    for weight in (1e-9, 0.5):
        options = (choice, *sgd, "training.steps=1", "training.batch_tokens=100000")
        trainer, _ = prepare(create_run(*options, f"training.guided_alignment={weight}"))
        trainer.model.double()
        before = {name: value.clone() for name, value in trainer.model.named_parameters()}
        loss, tokens = guidance_of(trainer)
        gradients = torch.autograd.grad(loss / tokens, list(trainer.model.parameters()), allow_unused=True)
        trainer.train()
        changes.append({name: value - before[name] for name, value in trainer.model.named_parameters()})
    assert any(gradient is not None and gradient.abs().max() > 1e-6 for gradient in gradients)
    for name, gradient in zip(before, gradients, strict=True):
        expected = torch.zeros_like(before[name]) if gradient is None else -0.5 * gradient
        torch.testing.assert_close(changes[1][name] - changes[0][name], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.usefixtures("linked")
def test_guided_attention_goes_where_the_links_say(create_run):
    options = ("training.steps=60", "optimizer.lr=0.02", "scheduler=constant", "sizes.dropout=0")
    losses = []
    for weight in (1e-9, 1):
        trainer = trained_on(create_run(*options, f"training.guided_alignment={weight}"))
        trainer.model.eval()
        loss, tokens = guidance_of(trainer)
        losses.append(loss.item() / tokens)
    assert losses[1] < 0.6 * losses[0]


@pytest.mark.usefixtures("linked")
def test_no_record_counts_it(create_run, monkeypatch):
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 1)
    plain, guided = create_run(*STILL), create_run(*STILL, "training.guided_alignment=10")
    for run in (plain, guided):
        trained_on(run)
    (train, valid), (guided_train, guided_valid) = (list(run.records()) for run in (plain, guided))
    assert guided_train["loss"] == train["loss"]
    assert guided_valid["perplexity"] == valid["perplexity"]


def test_guidance_without_links_says_which_file_is_missing(create_run):
    with pytest.raises(
        InputError, match=r"no train\.de-en\.align in .*; let an aligner write it, .*guided_alignment=0"
    ):
        prepare(create_run("training.guided_alignment=1"))


def test_links_of_another_number_of_pairs_are_refused(create_run, linked):
    linked.write_text("0-0\n")
    with pytest.raises(InputError, match=r"train\.de-en\.align has 1 lines for 60 training pairs; give one for each"):
        prepare(create_run("training.guided_alignment=1"))


def test_links_of_words_that_are_not_there_are_refused_before_training(create_run, linked):
    linked.write_text("0-0 1-9\n" + "\n" * 59)
    with pytest.raises(InputError, match=r"train\.de-en\.align, sentence 1: link 1-9, counted from 0, but "):
        prepare(create_run("training.guided_alignment=1"))


@pytest.mark.usefixtures("linked")
def test_segmentations_that_change_are_refused(create_run):
    changing = ("tokenizer=bpe", "tokenizer.vocabulary_size=40", "tokenizer.sampling=0.3")
    with pytest.raises(InputError, match=r"tokenizer\.sampling=0\.3 cuts words anew every epoch"):
        prepare(create_run("training.guided_alignment=1", *changing))


@pytest.mark.usefixtures("linked")
def test_a_model_without_attention_takes_no_guidance(create_run):
    with pytest.raises(InputError, match=r"training\.guided_alignment=0.5 needs attention"):
        prepare(create_run("model/attention=none", "training.guided_alignment=0.5"))


def test_pairs_held_out_for_validation_take_their_links_with_them(tmp_path, monkeypatch):
    import datasets

    from s2s.text.corpus import Corpus
    from s2s.training.data import split_pairs

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    numbers = range(50)
    lines = {"de": [f"Haus {n}" for n in numbers], "en": ["house"] * 50, "de-en.align": ["0-0 " * n for n in numbers]}
    for suffix, column in lines.items():
        (tmp_path / f"train.{suffix}").write_text("".join(f"{line}\n" for line in column), encoding="utf-8")
    corpus = Corpus(source="de", target="en", label="small", path=str(tmp_path))
    train, _ = split_pairs(corpus, lambda _: None, linked=True)
    assert len(train) == 48
    assert [f"Haus {len(links.split())}" for links in train["links"]] == list(train["source"])
