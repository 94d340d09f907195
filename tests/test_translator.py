"""The public face: one translation per sentence, the same in any batch, with numbers that agree with scoring."""

import ctypes
import itertools
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from s2s.errors import InputError
from s2s.memory import keep_freed_memory
from s2s.model.decoding_products import PackedProducts, decoding_products
from s2s.model.product import has_onednn, plain
from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling
from s2s.text.shortlist import Shortlist
from s2s.translator import Translator

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


needs_onednn = pytest.mark.skipif(not has_onednn(), reason="this torch has no oneDNN product")


def texts(translations):
    return [translation.text for translation in translations]


def assert_same_translations(ones, others, tolerance=1e-5):
    """Compare everything that translations carry, their alternatives too; numbers to a tolerance."""
    for one, other in zip(ones, others, strict=True):
        for name in ("source", "text", "source_tokens", "target_tokens", "finished"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("score", "log_prob", "token_log_probs"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=tolerance)
        np.testing.assert_allclose(one.attention, other.attention, atol=tolerance, rtol=0)
        assert_same_translations(one.alternatives, other.alternatives, tolerance)


def threads():
    """How many threads torch uses here, and in a thread that starts now."""
    found = [torch.get_num_threads()]
    beginner = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    beginner.start()
    beginner.join()
    return found


@pytest.fixture
def four_threads():
    """A process with threads to share among workers."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


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


def test_a_sample_goes_by_the_number_of_its_sentence_in_the_whole_input(translator):
    """However it is cut into windows; the same sentence elsewhere gets another one."""
    translator.search = Sampling(max_ratio=1.0, seed=3)
    lines = ["acht"] * 40
    expected = texts(translator(lines))
    assert len(set(expected)) > 5
    assert texts(translator.stream(lines, batch_size=1)) == expected
    assert texts(translator(lines[:7])) + texts(translator(lines[7:], first_row=7)) == expected


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


@needs_onednn
@pytest.mark.parametrize("beam_size", [1, 5])
def test_packed_products_do_not_change_translations(translator, beam_size):
    """Nor scores and attention, to 1e-5."""
    translator.search = BeamSearch(beam_size=beam_size)
    packed = translator._products
    found = translator(SENTENCES, n_best=min(3, beam_size), batch_size=3)
    scored = translator.score(SENTENCES, texts(found), batch_size=3)
    assert isinstance(packed, PackedProducts)
    assert len(packed._laid_out) > 4
    translator._products = plain
    assert_same_translations(found, translator(SENTENCES, n_best=min(3, beam_size), batch_size=3))
    assert_same_translations(scored, translator.score(SENTENCES, texts(found), batch_size=3))


@pytest.mark.parametrize("precision", ["float32", pytest.param("int8", marks=needs_onednn)])
def test_a_model_that_learns_on_is_translated_with_as_it_is_now(trained, precision):
    """The weights change between two translations, as they do between validations."""
    translator = Translator.load(trained, device="cpu", precision=precision)
    before = translator(SENTENCES)
    with torch.no_grad():
        for parameter in translator.model.parameters():
            parameter.mul_(0.5)
    after = translator(SENTENCES)
    assert [one.score for one in after] != [one.score for one in before]
    other = Translator.load(trained, device="cpu", precision=precision)
    other.model.load_state_dict(translator.model.state_dict())
    assert_same_translations(after, other(SENTENCES))


def test_a_model_loaded_in_inference_mode_translates_as_any_other(trained, translator):
    with torch.inference_mode():
        found = Translator.load(trained, device="cpu")(SENTENCES)
    assert_same_translations(found, translator(SENTENCES))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
@pytest.mark.parametrize("workers", [2, 3, 20])
def test_workers_do_not_change_translations(translator, workers, batch_size):
    translator.workers = 1
    expected = translator(SENTENCES * 2, n_best=3, batch_size=batch_size)
    translator.workers = workers
    translator._products = decoding_products(translator.device, "float32")
    found = translator(SENTENCES * 2, n_best=3, batch_size=batch_size)
    assert [one.source for one in found] == SENTENCES * 2
    assert_same_translations(found, expected)
    streamed = translator.stream(iter(SENTENCES * 2), n_best=3, batch_size=batch_size)
    assert_same_translations(list(streamed), expected)


def test_workers_do_not_change_what_is_drawn(translator):
    translator.search = Sampling(
        temperature=1.0, top_k=0, top_p=1.0, min_ratio=0.0, max_ratio=2.0, max_extra=10, seed=3
    )
    translator.workers = 1
    expected = translator(SENTENCES, batch_size=2)
    translator.workers = 3
    assert texts(translator(SENTENCES, batch_size=2)) == texts(expected)


def test_workers_with_nothing_to_do_give_nothing(trained):
    translator = Translator.load(trained, device="cpu", workers=3)
    assert translator([]) == []
    assert texts(translator(["", " "])) == ["", ""]


def test_workers_work_at_the_same_time_and_what_comes_is_in_order(trained, translator):
    """Of four batches two have to be at work before either goes on, and the first is done last."""
    expected = translator(SENTENCES, batch_size=2)
    translator = Translator.load(trained, device="cpu", workers=2)
    search, two, numbers, others_done = translator.search, threading.Barrier(2), itertools.count(), threading.Event()

    def wait_and_search(*given):
        number = next(numbers)
        if number < 2:
            two.wait(timeout=20)
        if number == 0:
            assert others_done.wait(timeout=20)
        found = search(*given)
        if number == 3:
            others_done.set()
        return found

    translator.search = wait_and_search
    assert_same_translations(translator(SENTENCES, batch_size=2), expected)
    assert next(numbers) == 4


def test_workers_share_the_threads_and_give_them_back(translator, four_threads):
    search, seen = translator.search, []

    def note_and_search(*given):
        seen.append(torch.get_num_threads())
        return search(*given)

    translator.search = note_and_search
    for workers, share in ((1, 4), (2, 2), (3, 1), (20, 1), (None, 1)):
        seen.clear()
        translator.workers = workers
        translator(SENTENCES, batch_size=2)
        assert seen == [share] * 4
        assert threads() == [4, 4]


def test_workers_give_the_threads_back_when_a_batch_raises(translator, four_threads):
    search = translator.search
    expected = translator(SENTENCES, batch_size=2)

    def search_or_raise(step, state, request):
        if 6 in request.rows:
            raise KeyError("row 6")
        return search(step, state, request)

    translator.workers, translator.search = 3, search_or_raise
    with pytest.raises(KeyError, match="row 6"):
        translator(SENTENCES, batch_size=2)
    assert threads() == [4, 4]
    translator.search = search
    assert_same_translations(translator(SENTENCES, batch_size=2), expected)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_worker_is_refused(trained, workers):
    with pytest.raises(InputError, match=f"workers={workers} would leave the work undone; give 1 or more"):
        Translator.load(trained, device="cpu", workers=workers)


def test_an_unknown_precision_is_refused(trained):
    with pytest.raises(InputError, match="precision=float64 is unknown; expected float32 or int8"):
        Translator.load(trained, device="cpu", precision="float64")


@needs_onednn
class TestEightBits:
    """Weights and states of 8 bits."""

    @pytest.fixture
    def rounded(self, trained):
        return Translator.load(trained, device="cpu", precision="int8")

    def test_they_translate_nearly_as_float32_does(self, rounded, translator):
        """The translations of words that were learnt, and their log-probabilities to 0.1 per token."""
        sentences = [sentence for row, sentence in enumerate(SENTENCES) if row not in (*BLANK, 6)]
        for one, other in zip(rounded(sentences), translator(sentences), strict=True):
            assert one.text == other.text
            assert one.log_prob != other.log_prob
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=0.1)

    def test_attention_sums_to_one(self, rounded):
        for best in rounded(SENTENCES, n_best=3):
            for one in (best, *best.alternatives):
                assert one.attention.shape == (len(one.target_tokens), len(one.source_tokens))
                np.testing.assert_allclose(one.attention.sum(axis=1), np.ones(len(one.target_tokens)), atol=1e-5)

    @pytest.mark.parametrize("beam_size", [1, 5])
    def test_the_batch_size_does_not_change_translations(self, rounded, beam_size):
        """To 5e-3: last digits vary with the batch, and a number halfway between two whole ones may go either way."""
        rounded.search = BeamSearch(beam_size=beam_size)
        alone, three, many = (rounded(SENTENCES, n_best=min(2, beam_size), batch_size=size) for size in (1, 3, 64))
        assert_same_translations(alone, three, 5e-3)
        assert_same_translations(alone, many, 5e-3)

    def test_workers_do_not_change_translations(self, rounded):
        rounded.workers = 1
        expected = rounded(SENTENCES, batch_size=2)
        rounded.workers = 3
        assert_same_translations(rounded(SENTENCES, batch_size=2), expected)

    def test_search_and_scoring_agree_on_the_same_tokens(self, rounded):
        """To 5e-3, as above."""
        found = [one for one in rounded(SENTENCES) if tuple(rounded.target.pieces(one.text)) == one.target_tokens]
        assert len(found) >= 4
        for one, other in zip(found, rounded.score([one.source for one in found], texts(found)), strict=True):
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=5e-3)


class TestMemory:
    """A process may keep what it has freed."""

    def test_freed_memory_is_kept(self):
        """Whatever the C library."""
        keep_freed_memory()
        keep_freed_memory()

    def test_glibc_is_told_three_things(self, monkeypatch):
        """By the numbers of its malloc.h: to map large blocks, not to trim the top and to ask for much at once."""
        told = {}

        class Library:
            def mallopt(self, parameter, value):
                told[parameter] = value

        monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
        keep_freed_memory()
        assert told == {-3: 32 << 20, -1: 2**31 - 1, -2: 64 << 20}

    def test_what_a_user_has_set_stays(self, monkeypatch):
        monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
        monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
        keep_freed_memory()
        assert os.environ["THP_MEM_ALLOC_ENABLE"] == "1"
        assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"

    @pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
    def test_where_there_is_no_mallopt_nothing_happens(self, error, monkeypatch):
        def refuse(name):
            raise error("no such library")

        monkeypatch.setattr(ctypes, "CDLL", refuse)
        keep_freed_memory()
        monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
        keep_freed_memory()


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


class TestShortlist:
    """Some words of the target instead of all."""

    def test_words_that_include_all_change_nothing(self, trained, translator):
        """Log-probabilities of words left out, PAD, UNK and BOS, are missed in the sum of all; to 0.05 per token."""
        everything = Translator.load(trained, device="cpu", shortlist=100)
        everything.shortlist = Shortlist(np.arange(4, len(translator.target)), everything.shortlist.partners)
        for one, other in zip(everything(SENTENCES), translator(SENTENCES), strict=True):
            assert (one.text, one.target_tokens) == (other.text, other.target_tokens)
            assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=0.05)

    @pytest.mark.parametrize("precision", ["float32", "int8"])
    def test_nothing_but_listed_words_is_written_whatever_the_batch(self, trained, precision):
        few = Translator.load(trained, device="cpu", shortlist=1, precision=precision)
        few.shortlist = Shortlist(np.array([], dtype=np.int64), few.shortlist.partners)
        alone, many = (few(SENTENCES, batch_size=size) for size in (1, 64))
        assert_same_translations(alone, many, tolerance=5e-3)
        for row, translation in enumerate(many):
            if row not in BLANK:
                source = few.source.encode([SENTENCES[row]])[0]
                written = few.target.ids_of(translation.target_tokens[:-1])
                assert set(written) <= set(few.shortlist.words(source, 1).tolist())

    def test_a_run_without_one_says_when_it_is_made(self, trained, tmp_path):
        shutil.copytree(trained.folder, tmp_path / "run")
        (tmp_path / "run" / "shortlist.npz").unlink()
        with pytest.raises(InputError, match=r"has no shortlist\.npz; it is made when training ends"):
            Translator.load(tmp_path / "run", device="cpu", shortlist=5)

    @pytest.mark.parametrize("shortlist", [0, -1])
    def test_no_words_are_refused(self, trained, shortlist):
        with pytest.raises(InputError, match=f"shortlist={shortlist} leaves no word; give 1 or more"):
            Translator.load(trained, device="cpu", shortlist=shortlist)
