"""Language models in training: what they learn from, what they are scored by, and what they refuse."""

import json
import math

import pytest
import torch

from s2s.errors import InputError
from s2s.model.language_model import read_on
from s2s.report.words import words
from s2s.text.one_side import OneSide
from s2s.text.tokenizer import EOS
from s2s.train import prepare
from s2s.training.validation import validate


def trained(run):
    trainer, corpus = prepare(run)
    assert trainer.train()
    return trainer, corpus


def test_of_pairs_it_learns_the_target_side_in_one_tokenizer(create_run, digits):
    trainer, corpus = prepare(create_run("model=lm", "training.steps=1"))
    assert isinstance(corpus, OneSide)
    assert trainer.data.valid_targets == (digits / "valid.en").read_text("utf-8").splitlines()
    assert set(trainer.data.valid_sources) == {""}
    assert trainer.data.source.model == trainer.data.target.model
    assert len(trainer.data.rows) == 60
    letters = set("".join(trainer.data.target.pieces_of(range(4, len(trainer.data.target)))))
    assert "w" in letters  # of two
    assert "ü" not in letters  # of fünf


def test_it_learns(create_run):
    trainer, _ = trained(create_run("model=lm", "training.steps=60", "training.validate_every=20", "optimizer.lr=0.02"))
    perplexities = [record["perplexity"] for record in trainer.run.records() if record["split"] == "valid"]
    assert perplexities == sorted(perplexities, reverse=True)
    assert perplexities[-1] < 3


def test_validation_is_per_piece_per_word_and_per_character(create_run):
    trainer, _ = trained(create_run("model=lm", "training.steps=5"))
    *_, record = (record for record in trainer.run.records() if record["split"] == "valid")
    assert trainer.state.updates == record["updates"]
    texts = trainer.data.valid_targets
    found = trainer.translator.score([""] * len(texts), texts)
    nll = -sum(one.log_prob for one in found)
    tokens = sum(len(one.target_tokens) for one in found)
    assert record["perplexity"] == pytest.approx(math.exp(nll / tokens), rel=1e-5)
    of_words = sum(len(words(text)) + 1 for text in texts)
    assert record["word_perplexity"]["value"] == pytest.approx(math.exp(nll / of_words), rel=1e-5)
    characters = sum(len(text) + 1 for text in texts)
    assert record["bits"] == {
        "value": pytest.approx(nll / math.log(2) / characters, rel=1e-5),
        "signature": f"characters:{characters}",
    }


RUNNING = ("model=lm", "training.truncated_length=7", "training.batch_tokens=35", "sizes.dropout=0")


def test_an_epoch_of_running_text_is_one_pass_and_every_part_begins_where_the_one_before_ended(create_run):
    trainer, _ = prepare(create_run(*RUNNING, "training.epochs=2"))
    plan = trainer._plan()
    ids, groups = plan.ids, plan.groups
    assert {len(batch) for group in groups for batch in group} == {5}
    left = []
    for update in range(len(groups) - 1):
        trainer._update(plan, update)
        trainer.state.advance()
        left.append(trainer.state.carried)
    assert all(one is not None for one in left)
    for group, carried in zip(groups, left, strict=False):
        assert carried.last.tolist() == [int(ids.target[row][-1]) for row in group[0]]
    trainer._update(plan, len(groups) - 1)
    trainer.state.advance()
    assert trainer.state.carried is None  # the next epoch begins the text anew
    assert trainer.state.epoch == 1


def test_running_text_is_validated_as_one_stream_whatever_the_parts(create_run):
    trainer, _ = trained(create_run(*RUNNING, "training.epochs=1"))
    texts, model = trainer.data.valid_targets, trainer.translator.model
    ids = [token for sentence in trainer.data.target.encode(texts) for token in sentence]
    with torch.no_grad():
        log_probs = model.readout.log_probs(read_on(model, torch.tensor([ids]))[0])[0]
    expected = math.exp(-float(log_probs[range(len(ids)), ids].mean()))
    for tokens in (5, 35, 1000):
        scores = validate(
            trainer.translator,
            [""] * len(texts),
            texts,
            language="en",
            batch_tokens=tokens,
            criterion="loss",
            running=True,
        )
        assert scores["perplexity"].value == pytest.approx(expected, rel=1e-5)


def test_an_update_that_is_skipped_leaves_no_state_behind(create_run):
    trainer, _ = prepare(create_run(*RUNNING, "training.epochs=1"))
    plan = trainer._plan()
    trainer._update(plan, 0)
    assert trainer.state.carried is not None
    with torch.no_grad():
        trainer.model.readout.bias.fill_(torch.nan)
    trainer._update(plan, 1)
    assert all((part == 0).all() for part in trainer.state.carried.rnn)
    assert (trainer.state.carried.last == EOS).all()


def test_streams_that_memory_does_not_hold_are_not_cut(create_run):
    trainer, _ = prepare(create_run(*RUNNING, "training.epochs=1"))

    def full(*_, **__):
        raise MemoryError

    trainer.objective = full
    with pytest.raises(InputError, match=r"memory does not hold the streams of an update; lower training"):
        trainer.train()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model=lm", "training.criterion=bleu"], "leave out minimum_risk= and training.criterion=bleu"),
        (["model=lm", "minimum_risk=bleu"], "a language model translates nothing that could be scored"),
        (["model=lm", "training.coverage_loss=1"], "training.coverage_loss=1 needs attention"),
        (["training.truncated_length=5"], "reads running text as it is, with model=lm; leave it out"),
        ([*RUNNING, "scheduled_sampling=linear"], "leave it out, or scheduled_sampling="),
        (["model=lm", "model/readout=adaptive"], "which cannot be tied; set model.tie_readout=false"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_does_not_go_with_a_language_model_is_refused(create_run, options, message):
    with pytest.raises(InputError, match=message):
        prepare(create_run("training.steps=1", *options))


def test_clusters_learn_in_training(create_run):
    options = ("model/readout=adaptive", "model.tie_readout=false", "optimizer.lr=0.02")
    trainer, _ = trained(create_run("model=lm", *options, "training.steps=40", "training.validate_every=20"))
    first, last = [record["perplexity"] for record in trainer.run.records() if record["split"] == "valid"]
    assert last < first < 20


def test_a_text_file_is_all_it_takes(in_process, digits, tmp_path):
    text = "".join(line for split in ("train", "valid") for line in (digits / f"{split}.en").read_text("utf-8"))
    (tmp_path / "数字.txt").write_text(f"{text}\n\n", encoding="utf-8")
    small = ("sizes.embedding=16", "sizes.hidden=24", "tokenizer=char", "training.steps=2", "device=cpu")
    code, out, err = in_process("train", "model=lm", "data=text", "data.train=数字.txt", *small, "name=x")
    assert code == 0, err
    assert "69 training and" not in err
    assert "no validation split: every 20th training pair is held out for it" in err
    assert [line.split(" = ")[0] for line in out.splitlines()[:3]] == [
        "validation perplexity",
        "validation perplexity per word",
        "validation bits per character",
    ]
    assert out.splitlines()[3] == "next       python -m s2s.sample run=runs/x"
    result = json.loads((tmp_path / "runs/x/result.json").read_text())
    assert result["bits per character"]["split"] == "validation"
    code, out, err = in_process(
        "train", "model=lm", "data=text", "data.train=数字.txt", *small, "name=y", "training.truncated_length=10"
    )
    assert code == 0, err
    assert "no validation split: the last training lines are held out for it" in err


def test_checkpoints_of_a_language_model_are_averaged(in_process, create_run):
    run = create_run("model=lm", "training.steps=6", "training.validate_every=2", "training.keep_checkpoints=3")
    trained(run)
    code, out, err = in_process("average", f"run={run.folder}", "device=cpu")
    assert code == 0, err
    assert out.splitlines()[0].split() == ["perplexity", "per", "word", "bits"]
    assert out.splitlines()[-1].startswith("average")
