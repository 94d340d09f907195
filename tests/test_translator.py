"""The public face: one translation per sentence, the same in any batch, with numbers that agree with scoring."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch

from s2s.errors import InputError
from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling

SENTENCES = [
    "eins zwei",
    "",
    "drei",
    "neun acht sieben sechs",
    " \t ",
    "null null",
    "Das ist kein Wort hier",
    "vier",
    "fünf zwei eins",
    "acht",
]
BLANK = (1, 4)


def texts(translations):
    return [translation.text for translation in translations]


def test_every_sentence_gets_one_translation_in_order(translator):
    translations = translator(SENTENCES)
    assert [translation.source for translation in translations] == SENTENCES
    assert texts(translations) == [translator([sentence])[0].text for sentence in SENTENCES]
    assert len(set(texts(translations))) > 4


def test_a_line_without_words_gets_an_empty_translation(translator):
    translations = translator(SENTENCES)
    for row in BLANK:
        assert translations[row].text == ""
        assert translations[row].target_tokens == translations[row].source_tokens == ()
        assert translations[row].attention.shape == (0, 0)
    assert all(translations[row].text for row in range(len(SENTENCES)) if row not in BLANK)


def test_no_sentence_gives_no_translation(translator):
    assert translator([]) == []
    assert translator.score([], []) == []
    assert texts(translator(["", " "])) == ["", ""]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_the_batch_size_does_not_change_translations(translator, dtype, tolerance):
    translator.model.to(dtype)
    alone, three, many = (translator(SENTENCES, n_best=2, batch_size=size) for size in (1, 3, 64))
    for others in (three, many):
        for one, other in zip(alone, others, strict=True):
            assert one.text == other.text
            assert one.log_prob == pytest.approx(other.log_prob, abs=tolerance)
            np.testing.assert_allclose(one.attention, other.attention, atol=tolerance)
            assert texts(one.alternatives) == texts(other.alternatives)


@pytest.mark.parametrize("size", [1, 3])
def test_the_batch_size_does_not_change_scores(translator, size):
    targets = ["one two", "", "three", "nine", "x", "zero zero", "nothing", "four", "", "eight"]
    pairs = zip(
        translator.score(SENTENCES, targets, batch_size=size), translator.score(SENTENCES, targets), strict=True
    )
    for one, other in pairs:
        assert one.text == other.text
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-5)
        assert one.attention.shape == other.attention.shape == (len(one.target_tokens), len(one.source_tokens))


@pytest.mark.parametrize("beam_size", [1, 4])
def test_search_and_scoring_agree_on_the_same_tokens(translator, beam_size):
    translator.search = BeamSearch(beam_size=beam_size, length_penalty=0.0)
    sources = [sentence for row, sentence in enumerate(SENTENCES) if row not in BLANK]
    found = [
        translation
        for translation in translator(sources)
        if tuple(translator.target.pieces(translation.text)) == translation.target_tokens
    ]
    assert len(found) >= 4
    forced = translator.score([one.source for one in found], texts(found))
    for one, other in zip(found, forced, strict=True):
        assert one.score == one.log_prob == pytest.approx(other.score, abs=1e-5)
        assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=1e-5)
        assert one.source_tokens == other.source_tokens
        np.testing.assert_allclose(one.attention, other.attention, atol=1e-5)


def test_log_prob_is_the_sum_over_tokens(translator):
    for one in translator(SENTENCES, n_best=3):
        assert one.log_prob == pytest.approx(sum(one.token_log_probs), abs=1e-9)
        assert len(one.token_log_probs) == len(one.target_tokens)


def test_attention_has_a_row_per_target_token_and_a_column_per_source_token(translator):
    for best in translator(SENTENCES, n_best=2):
        for one in (best, *best.alternatives):
            assert one.attention.shape == (len(one.target_tokens), len(one.source_tokens))
            np.testing.assert_allclose(one.attention.sum(axis=1), np.ones(len(one.target_tokens)), atol=1e-5)
            assert one.source_tokens[-1:] == one.target_tokens[-1:] == (("</s>",) if one.source_tokens else ())


def test_alternatives_are_ordered_and_differ_in_tokens(translator):
    best = translator(["eins zwei drei"], n_best=5)[0]
    ranked = [best, *best.alternatives]
    assert len(ranked) == 5
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    assert len({one.target_tokens for one in ranked}) == 5
    assert all(one.source == best.source and not one.alternatives for one in best.alternatives)


def test_a_sample_does_not_depend_on_the_batch(translator):
    translator.search = Sampling(
        temperature=1.0, top_k=0, top_p=1.0, min_ratio=0.0, max_ratio=2.0, max_extra=10, seed=3
    )
    assert texts(translator(SENTENCES, batch_size=1)) == texts(translator(SENTENCES, batch_size=64))


def test_translating_and_scoring_use_no_dropout(translator):
    translator.model.encoder.dropout.p = translator.model.dropout.p = translator.model.readout.dropout.p = 0.9
    for work in (lambda: translator(["eins zwei"]), lambda: translator.score(["eins zwei"], ["one two"])):
        translator.model.train()
        first = work()[0].log_prob
        translator.model.train()
        assert work()[0].log_prob == first
        assert not translator.model.training


def test_a_text_instead_of_a_list_is_refused(translator):
    for work in (
        lambda: translator("eins zwei"),
        lambda: next(translator.stream("eins zwei")),
        lambda: translator.score("eins zwei", ["one two"]),
        lambda: translator.score(["eins zwei"], "one two"),
    ):
        with pytest.raises(InputError, match=r"expected a list of sentences, got the text '.*'; write \[text\]"):
            work()


def test_a_batch_of_nothing_is_refused(translator):
    for work in (
        lambda: translator(["eins"], batch_size=0),
        lambda: next(translator.stream(["eins"], batch_size=0)),
        lambda: translator.score(["eins"], ["one"], batch_size=0),
    ):
        with pytest.raises(InputError, match="batch_size=0 holds no sentence; give 1 or more"):
            work()


def test_unequal_numbers_of_sources_and_targets_are_refused(translator):
    with pytest.raises(InputError, match="2 sources but 1 targets; give one target for every source"):
        translator.score(["eins", "zwei"], ["one"])


def test_more_hypotheses_than_the_beam_is_wide_are_refused(translator):
    with pytest.raises(InputError, match="n_best must be at most beam_size, got 9 and 5"):
        translator(["eins"], n_best=9)


def test_a_stream_is_translated_in_order(translator):
    lines = [*SENTENCES, *reversed(SENTENCES)]
    streamed = list(translator.stream(iter(lines), batch_size=1))
    assert [one.source for one in streamed] == lines
    assert texts(streamed) == texts(translator(lines))


def test_a_stream_reads_no_more_than_it_needs(translator):
    read = []
    endless = (read.append(number) or "eins" for number in itertools.count())
    stream = translator.stream(endless, batch_size=1)
    assert read == []
    assert next(stream).source == "eins"
    window = len(read)
    assert window < 100
    next(stream)
    assert len(read) == window


def test_importing_the_package_does_not_import_torch(environment):
    program = (
        "import sys, s2s; assert 'torch' not in sys.modules, 'torch'; assert 'hydra' not in sys.modules, 'hydra'; "
        "from s2s import Translator, Translation; print(Translator.__module__, 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "s2s.translator True\n", "")


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    import s2s

    with pytest.raises(AttributeError, match="module 's2s' has no attribute 'Nothing'"):
        s2s.Nothing  # noqa: B018
