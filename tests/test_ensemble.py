"""Several models translate together: their mean distribution, whatever they are made of."""

import itertools
import math
import shutil

import numpy as np
import pytest
import torch

from s2s.errors import InputError
from s2s.model.product import has_onednn
from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling
from s2s.text.batching import ParallelIds, SentenceIds
from s2s.text.shortlist import Shortlist
from s2s.train import prepare
from s2s.translator import Translator

SENTENCES = ["eins zwei", "", "drei", "neun acht sieben sechs", "null null", "vier", "fünf zwei eins", "acht"]
TARGETS = ["one two", "two", "", "nine eight seven", "zero", "four", "five two one", "x"]
LEARNT = ("training.steps=80", "optimizer.lr=0.02", "sizes.dropout=0", "search=beam", "training.validate_every=80")


@pytest.fixture(scope="module")
def learnt(create_run):
    """Make a run that has learnt a little."""

    def learn(*options):
        run = create_run(*LEARNT, *options)
        trainer, _ = prepare(run)
        assert trainer.train()
        run.save_shortlist(Shortlist.count(trainer.data.epoch(0), len(trainer.data.source)))
        return run

    return learn


@pytest.fixture(scope="module")
def other(learnt):
    """A run of another kind on the same data."""
    return learnt("seed=2", "model=bahdanau", "model/rnn=gru")


@pytest.fixture(scope="module")
def unattended(learnt):
    """A run that looks at nothing."""
    return learnt("seed=3", "model=sutskever", "training.steps=20")


def load(*runs, dtype=torch.float64, **options):
    translator = Translator.load(list(runs), device="cpu", **options)
    for model in translator.models:
        model.to(dtype)
    return translator


def assert_same(ones, others, tolerance=1e-9):
    for one, other in zip(ones, others, strict=True):
        assert (one.text, one.target_tokens, one.finished) == (other.text, other.target_tokens, other.finished)
        assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=tolerance)
        assert one.score == pytest.approx(other.score, abs=tolerance)
        np.testing.assert_allclose(one.attention, other.attention, atol=max(tolerance, 1e-6), rtol=0)
        assert_same(one.alternatives, other.alternatives, tolerance)


def words_by_hand(translator, source, target):
    """The log-probability of every word at every position of one pair, (T, V), and attention: straight from a model."""
    sides = (translator.source.encode([source]), translator.target.encode([target]))
    with torch.inference_mode():
        features, attention = translator.model(ParallelIds(*map(SentenceIds.of, sides)).batch([0]))
        return translator.model.readout.log_probs(features)[0].numpy(), attention[0].numpy(), sides[1][0]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("times", [2, 3])
def test_a_model_with_itself_translates_as_it_does_alone(trained, dtype, tolerance, times):
    alone, together = load(trained, dtype=dtype), load(*[trained] * times, dtype=dtype)
    assert_same(together(SENTENCES, n_best=3), alone(SENTENCES, n_best=3), tolerance)
    assert_same(together.score(SENTENCES, TARGETS), alone.score(SENTENCES, TARGETS), tolerance)


def test_scores_are_the_mean_of_log_probabilities_normalised(trained, other, unattended):
    members = [load(run) for run in (trained, other, unattended)]
    for source, target, scored in zip(
        SENTENCES, TARGETS, load(trained, other, unattended).score(SENTENCES, TARGETS), strict=True
    ):
        found = [words_by_hand(member, source, target) for member in members]
        mean = np.mean([log_probs for log_probs, _, _ in found], axis=0)
        mean -= np.log(np.exp(mean).sum(axis=1, keepdims=True))
        ids = found[0][2]
        assert scored.token_log_probs == pytest.approx(mean[np.arange(len(ids)), ids].tolist(), abs=1e-9)
        looking = [attention for _, attention, _ in found if attention.shape[1]]
        assert len(looking) == 2
        np.testing.assert_allclose(scored.attention, np.mean(looking, axis=0), atol=1e-6)
        assert math.isclose(np.exp(mean).sum(), len(ids), rel_tol=1e-9)


def test_search_and_scoring_agree(trained, other, unattended):
    """And the members do disagree, else this would say nothing."""
    translator = load(trained, other, unattended, search=BeamSearch(beam_size=4, length_penalty=0.0))
    found = translator(SENTENCES, n_best=3)
    every = [one for best in found for one in best.hypotheses if one.source_tokens]
    forced = translator.score([one.source for one in every], [one.target_tokens for one in every])
    for one, scored in zip(every, forced, strict=True):
        assert one.token_log_probs == pytest.approx(scored.token_log_probs, abs=1e-9)
        np.testing.assert_allclose(one.attention, scored.attention, atol=1e-6)
        np.testing.assert_allclose(one.attention.sum(axis=1), 1, atol=1e-6)
    assert load(trained).score([every[0].source], [every[0].text])[0].log_prob != pytest.approx(every[0].log_prob)


def test_neither_the_batch_size_nor_the_order_of_runs_matters(trained, other, unattended):
    search = BeamSearch(max_ratio=1.0)
    expected = load(trained, other, unattended, search=search)(SENTENCES, n_best=2, batch_size=1)
    for runs in itertools.permutations((trained, other, unattended)):
        assert_same(load(*runs, search=search)(SENTENCES, n_best=2, batch_size=64), expected)
    together = load(trained, other, unattended, search=search, workers=3)
    assert_same(together(SENTENCES, n_best=2, batch_size=2), expected)


def test_what_is_drawn_does_not_depend_on_the_batch(trained, other):
    translator = load(trained, other, search=Sampling(seed=5))
    assert_same(translator(SENTENCES, n_best=3, batch_size=1), translator(SENTENCES, n_best=3))


def test_models_without_attention_have_none_together(unattended):
    translator = load(unattended, unattended)
    assert not translator.has_attention
    assert [one.attention.shape[1] for one in translator(["eins zwei"])] == [0]
    assert translator.score(["eins"], ["one"])[0].attention.shape[1] == 0


@pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN product")
def test_eight_bits_and_shortlists_go_with_several_models(trained, other):
    exact = load(trained, other, dtype=torch.float32).score(SENTENCES, TARGETS)
    rounded = load(trained, other, dtype=torch.float32, precision="int8").score(SENTENCES, TARGETS)
    assert [one.log_prob for one in exact] != [one.log_prob for one in rounded]
    for one, near in zip(exact, rounded, strict=True):
        assert near.token_log_probs == pytest.approx(one.token_log_probs, abs=0.3)
    for precision in ("float32", "int8"):
        few = load(trained, other, dtype=torch.float32, precision=precision, shortlist=1)
        assert few.partners == 2
        assert_same(few(SENTENCES, batch_size=1), few(SENTENCES, batch_size=64), 5e-3)


def test_several_runs_consider_what_any_of_them_lists(trained, learnt, tmp_path):
    """One run knows the partners of the first source piece, the other those of the second."""
    runs = []
    for number in (4, 5):
        shutil.copytree(trained.folder, tmp_path / str(number))
        partners = np.full((len(trained.tokenizers()[0]), 3), -1, np.int32)
        partners[number] = [10 + number, 6, 7]
        np.savez(tmp_path / str(number) / "shortlist.npz", frequent=np.array([number], np.int32), partners=partners)
        runs.append(tmp_path / str(number))
    translator = Translator.load(runs, device="cpu", shortlist=1)
    assert translator.shortlist.words([4, 5], translator.partners).tolist() == [4, 5, 14, 15]


def test_other_tokenizers_are_refused(trained, create_run):
    for options, language in (
        (["tokenizer=bpe", "sizes.vocabulary=60"], "source"),
        (["tokenizer.backwards=true"], "target"),
    ):
        strange = create_run(*options)
        prepare(strange)
        message = f"{trained.folder} and {strange.folder} cannot translate together: their {language} tokenizers differ"
        with pytest.raises(InputError, match=message):
            Translator.load([trained, strange], device="cpu")


def test_no_run_is_refused():
    with pytest.raises(InputError, match="no run is named; give one, or several"):
        Translator.load([], device="cpu")


def test_only_one_model_can_be_looked_into(trained, other):
    alone = load(trained)
    assert alone.models == (alone.model,)
    with pytest.raises(InputError, match="2 runs translate together, and only one can be looked into; give one"):
        _ = load(trained, other).model


def test_the_search_is_that_of_the_first_run(trained, other):
    assert load(trained, other).search == load(trained).search
