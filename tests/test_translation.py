"""From ids to what people read: the other way round for a run that writes backwards."""

import numpy as np
import pytest
import torch

from s2s.search.hypothesis import Hypothesis
from s2s.text.batching import collate
from s2s.text.tokenizer import BOS
from s2s.train import prepare
from s2s.translation import Rendering, Translation
from s2s.translator import Translator

SENTENCES = ["eins zwei", "", "drei", "neun acht sieben sechs", "null null", "vier"]
LEARNT = ("training.steps=120", "optimizer.lr=0.02", "sizes.dropout=0", "search=beam", "training.validate_every=60")


@pytest.fixture(scope="module")
def backwards(create_run):
    """A translator whose model writes targets from their last piece to their first."""
    run = create_run(*LEARNT, "tokenizer.backwards=true")
    trainer, _ = prepare(run)
    assert trainer.train()
    return Translator.load(run, device="cpu")


def test_ids_and_attention_are_turned_round_and_the_end_stays_last(backwards):
    """By hand: the model wrote t, w, o, </s>; its attention at each step is that step's number."""
    pieces = ["o", "w", "t", "▁", "</s>"]
    hypothesis = Hypothesis(
        tokens=tuple(backwards.target.ids_of(pieces)),
        token_log_probs=(-1.0, -2.0, -3.0, -4.0, -5.0),
        log_prob=-15.0,
        score=-7.0,
        attention=np.arange(5.0)[:, None] + np.zeros(8),
        finished=True,
    )
    found = Rendering(backwards.source, backwards.target).found("zwei", [hypothesis])
    assert (found.text, found.target_tokens) == ("two", ("▁", "t", "w", "o", "</s>"))
    assert found.token_log_probs == (-4.0, -3.0, -2.0, -1.0, -5.0)
    assert found.attention[:, 0].tolist() == [3, 2, 1, 0, 4]


def test_it_reads_as_any_other_translation_does(backwards):
    translations = backwards(SENTENCES)
    assert {"three", "four"} <= {one.text for one in translations}
    for one in translations:
        assert "".join(one.target_tokens).replace("▁", " ").strip() == f"{one.text}</s>" * bool(one.source_tokens)


def ids_of(translator, translation):
    """What the tokenizer makes of the text, EOS left out: what the search wrote may be cut otherwise."""
    return translator.target.encode([translation.text])[0][:-1]


def test_search_and_scoring_agree(backwards):
    """Of texts and of pieces, n-best; and the score is the one of the text as the model writes it."""
    found = [one for best in backwards(SENTENCES, n_best=3) for one in best.hypotheses if one.source_tokens]
    every = [one for one in found if backwards.target.ids_of(one.target_tokens[:-1])[::-1] == ids_of(backwards, one)]
    assert len(every) > 10
    sources = [one.source for one in every]
    of_pieces = backwards.score(sources, [one.target_tokens for one in every])
    of_texts = backwards.score(sources, [one.text for one in every])
    for one, *scored in zip(every, of_pieces, of_texts, strict=True):
        for other in scored:
            assert (one.text, one.target_tokens) == (other.text, other.target_tokens)
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-5)
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-5)


def test_the_end_mark_is_predicted_last_after_the_first_word(backwards):
    """The log-probabilities in the order of writing are those of a plain loop over the model's own ids."""
    (scored,) = backwards.score(["eins zwei"], ["one two"])
    ids = backwards.target.encode(["one two"])[0]
    state, memory = backwards.model.start(collate(backwards.source.encode(["eins zwei"])))
    before, log_probs = torch.tensor([BOS]), []
    with torch.inference_mode():
        for index in ids:
            step = backwards.model.step(before, state, memory)
            words = backwards.model.readout.log_probs(backwards.model.readout.features(step.output))
            log_probs.append(float(words[0, index]))
            before, state = torch.tensor([index]), step.state
    *written, end = log_probs
    assert scored.token_log_probs == pytest.approx([*written[::-1], end], abs=1e-5)


def test_hypotheses_are_the_translation_and_its_alternatives(translator):
    best = translator(["eins zwei"], n_best=3)[0]
    first, *others = best.hypotheses
    assert (first.text, first.score, first.alternatives) == (best.text, best.score, ())
    assert tuple(others) == best.alternatives


def test_scores_of_runs_are_shown_where_there_are_any():
    empty = Translation.empty("")
    assert "run_scores" not in empty.as_dict()
    fields = {**vars(empty), "run_scores": {"a": -1.0}}
    assert Translation(**fields).as_dict()["run_scores"] == {"a": -1.0}
