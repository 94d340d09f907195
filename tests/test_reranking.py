"""Choosing among hypotheses: by what they have in common, or by what other runs say."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from s2s.errors import InputError
from s2s.reranking import MinimumBayesRisk, Rescoring, Scorer
from s2s.search.beam import BeamSearch
from s2s.search.sampling import Sampling
from s2s.train import prepare
from s2s.translation import Translation
from s2s.translator import Translator

SENTENCES = ["eins zwei", "", "drei", "neun acht sieben sechs", "null null", "vier", "fünf zwei eins", "acht"]


def hypotheses(*pairs):
    """A translation with alternatives, from texts and log-probabilities."""
    first, *others = (
        replace(Translation.empty("x"), text=text, log_prob=log_prob, source_tokens=("x", "</s>"))
        for text, log_prob in pairs
    )
    return replace(first, alternatives=tuple(others))


def shown(translation):
    return {one.text: one.score for one in translation.hypotheses}


@pytest.fixture(scope="module")
def backwards(create_run):
    """A run that writes backwards in pieces of its own."""
    run = create_run(
        *("training.steps=60", "optimizer.lr=0.02", "sizes.dropout=0", "search=beam", "training.validate_every=60"),
        *("tokenizer=unigram", "sizes.vocabulary=50", "tokenizer.backwards=true", "seed=2"),
    )
    trainer, _ = prepare(run)
    assert trainer.train()
    return run


class TestMinimumBayesRisk:
    SAMPLES = (("a cat sat", -1.0), ("the cat sat", -2.0), ("the cat sat", -2.0), ("a dog ran off", -3.0))

    @pytest.mark.parametrize(("utility", "alone"), [("chrf", CHRF()), ("bleu", BLEU(effective_order=True))])
    def test_each_sample_counts_once(self, utility, alone):
        texts = [text for text, _ in self.SAMPLES]
        expected = {h: np.mean([alone.sentence_score(h, [y]).score for y in texts]) for h in texts}
        (found,) = MinimumBayesRisk(utility=utility, drawn=True, candidates=4)([hypotheses(*self.SAMPLES)])
        assert shown(found) == pytest.approx(expected, abs=1e-9)
        assert [one.text for one in found.hypotheses] == ["the cat sat", "a cat sat", "a dog ran off"]
        assert (found.log_prob, len(found.alternatives)) == (-2.0, 2)

    def test_hypotheses_of_a_beam_count_by_their_probability(self):
        texts = {"a cat sat": 0.6, "the cat sat": 0.3, "a dog ran off": 0.1}
        listed = hypotheses(*((text, math.log(p) - 40) for text, p in texts.items()))
        (found,) = MinimumBayesRisk(utility="chrf", drawn=False, candidates=3)([listed])
        expected = {h: sum(p * CHRF().sentence_score(h, [y]).score for y, p in texts.items()) for h in texts}
        assert shown(found) == pytest.approx(expected, abs=1e-9)

    def test_equal_texts_are_one_with_the_sum_of_their_probabilities(self):
        once = hypotheses(("a", math.log(0.5)), ("b b", math.log(0.5)))
        twice = hypotheses(("b b", math.log(0.3)), ("a", math.log(0.5)), ("b b", math.log(0.2)))
        rank = MinimumBayesRisk(utility="chrf", drawn=False, candidates=3)
        assert shown(rank([once])[0]) == pytest.approx(shown(rank([twice])[0]))

    def test_of_texts_that_are_worth_the_same_the_more_probable_wins(self):
        (found,) = MinimumBayesRisk(utility="chrf", drawn=True, candidates=2)([hypotheses(("ab", -2.0), ("cd", -1.0))])
        assert (found.text, found.score) == ("cd", 50.0)

    def test_what_all_samples_agree_on_is_worth_100(self):
        (found,) = MinimumBayesRisk(utility="bleu", drawn=True, candidates=2)([hypotheses(("ab", -2.0), ("ab", -2.0))])
        assert (found.text, found.score, found.alternatives) == ("ab", 100.0, ())

    def test_chinese_is_compared_by_characters(self):
        listed = hypotheses(("面包师喜欢面包", -1.0), ("面包师喜欢烤面包", -1.0), ("医生", -1.0))
        for language, positive in (("zh", True), ("en", False)):
            rank = MinimumBayesRisk(utility="bleu", drawn=True, candidates=3, language=language)
            assert (rank([listed])[0].score > 100 / 3 + 1) == positive

    @pytest.mark.parametrize("search", [Sampling(max_ratio=1.0, seed=1), BeamSearch(beam_size=8, max_ratio=1.0)])
    def test_neither_batch_size_nor_window_matters(self, translator, search):
        drawn = isinstance(search, Sampling)
        rank = MinimumBayesRisk(utility="chrf", drawn=drawn, candidates=8)
        chosen = translator.using(search).reranked_by(rank)
        many = chosen(SENTENCES * 3, n_best=2)
        alone = list(chosen.stream(SENTENCES * 3, n_best=2, batch_size=1))
        assert [one.text for one in many] == [one.text for one in alone]
        for one, other in zip(many, alone, strict=True):
            assert (one.source, len(one.alternatives)) == (other.source, len(other.alternatives))
            assert one.score == pytest.approx(other.score, abs=1e-3)
        plain = translator.using(search)(SENTENCES * 3)
        assert [one.text for one in many] != [one.text for one in plain]
        assert [many[1].text, many[1].score, many[1].target_tokens] == ["", 0.0, ()]

    def test_an_unknown_utility_is_refused(self):
        with pytest.raises(InputError, match="mbr=ter is unknown; expected chrf or bleu"):
            MinimumBayesRisk(utility="ter", drawn=True, candidates=8)


class TestRescoring:
    def test_the_score_is_the_mean_per_token_over_the_runs(self, trained, translator, backwards):
        other = Translator.load(backwards, device="cpu")
        assert other.target.model != translator.target.model
        both = translator.reranked_by(
            Rescoring(first="a", weight=0.5, others={"b": Scorer(other, 0.5)}, candidates=5, batch_size=2)
        )
        moved = 0
        for best, plain in zip(both(SENTENCES, n_best=5), translator(SENTENCES, n_best=5), strict=True):
            if not best.source_tokens:
                assert (best.text, best.score) == ("", 0.0)
                continue
            for one in best.hypotheses:
                length = len(one.target_tokens)
                (scored,) = other.score([one.source], [one.text])
                assert one.run_scores == pytest.approx(
                    {"a": one.log_prob / length, "b": scored.log_prob / length}, abs=1e-6
                )
                assert one.score == pytest.approx(sum(one.run_scores.values()) / 2, abs=1e-9)
            scores = [one.score for one in best.hypotheses]
            assert scores == sorted(scores, reverse=True)
            assert {one.target_tokens for one in best.hypotheses} == {one.target_tokens for one in plain.hypotheses}
            moved += best.text != plain.text
        assert moved

    def test_a_run_that_rescores_itself_orders_by_its_own_log_probability_per_token(self, translator):
        """Where the search wrote a text in the pieces in which the text is scored."""
        rank, same = Rescoring(first="a", weight=0.5, others={"same": Scorer(translator, 0.5)}, candidates=5), 0
        for best in translator.using(BeamSearch(max_ratio=1.0)).reranked_by(rank)(SENTENCES, n_best=5):
            for one in best.hypotheses:
                if one.source_tokens and tuple(translator.target.pieces(one.text)) == one.target_tokens:
                    assert one.score == pytest.approx(one.log_prob / len(one.target_tokens), abs=1e-5)
                    same += 1
        assert same > 20

    def test_fewer_are_shown_than_are_scored(self, translator, backwards):
        others = {"b": Scorer(Translator.load(backwards, device="cpu"), 0.5)}
        both = translator.reranked_by(Rescoring(first="a", weight=0.5, others=others, candidates=5))
        every, two = both(SENTENCES, n_best=5), both(SENTENCES, n_best=2)
        assert [len(one.alternatives) for one in two] == [1, 0, 1, 1, 1, 1, 1, 1]
        for one, other in zip(two, every, strict=True):
            assert [found.text for found in one.hypotheses] == [found.text for found in other.hypotheses][
                :2
            ] or not one.text


class TestCommand:
    @pytest.fixture
    def translate(self, in_process, trained):
        def run(*options):
            lines = "".join(f"{sentence}\n" for sentence in SENTENCES).encode()
            return in_process("translate", f"run={trained.folder}", "device=cpu", *options, stdin=lines)

        return run

    def test_samples_are_chosen_among(self, translate, translator):
        code, out, error = translate("search=sample", "search.max_ratio=1", "mbr=chrf", "candidates=8")
        assert code == 0, error
        rank = MinimumBayesRisk(utility="chrf", drawn=True, candidates=8)
        assert out.splitlines() == [
            one.text for one in translator.using(Sampling(max_ratio=1.0)).reranked_by(rank)(SENTENCES)
        ]
        assert out != translate("search=sample", "search.max_ratio=1", "mbr=chrf", "candidates=4")[1]

    def test_the_whole_beam_is_chosen_among_unless_told_otherwise(self, translate, translator):
        code, out, error = translate("mbr=bleu", "n_best=5", "format=jsonl")
        assert code == 0, error
        rank = MinimumBayesRisk(utility="bleu", drawn=False, candidates=5, language="en")
        expected = translator.reranked_by(rank)(SENTENCES, n_best=5)
        for row, one in zip(map(json.loads, out.splitlines()), expected, strict=True):
            assert row["text"] == one.text
            assert row["score"] == pytest.approx(one.score, abs=1e-3)
            assert "run_scores" not in row

    def test_runs_rescore_several_that_translate_together(self, translate, trained, backwards):
        code, out, error = translate(
            f"run=[{trained.folder},{trained.folder}]", f"rescore={backwards.folder}", "candidates=3", "format=jsonl"
        )
        assert code == 0, error
        assert error == f"run: {trained.folder}, {trained.folder}\n"
        for row in map(json.loads, out.splitlines()):
            if row["source"]:
                names = {f"{trained.folder},{trained.folder}", str(backwards.folder)}
                assert row["run_scores"].keys() == names
                assert row["score"] == pytest.approx(sum(row["run_scores"].values()) / 2)

    def test_a_language_model_and_a_run_of_the_other_direction_rescore_by_their_weights(
        self, translate, trained, language_model, reverse, translator
    ):
        options = (f"rescore=[{reverse.folder},{language_model.folder}]", "rescore_weights=[0.5,0.25]", "n_best=3")
        code, out, error = translate(*options, "format=jsonl")
        assert code == 0, error
        channel, prior = (Translator.load(run, device="cpu") for run in (reverse, language_model))
        for row in map(json.loads, out.splitlines()):
            for one in [row, *row["alternatives"]] if row["source"] else []:
                tokens = len(one["target_tokens"])
                (back,), (said,) = channel.score([one["text"]], [row["source"]]), prior.score([""], [one["text"]])
                found = [one["log_prob"] / tokens, back.log_prob / len(row["source_tokens"]), said.log_prob / tokens]
                assert list(one["run_scores"].values()) == pytest.approx(found, abs=1e-4)
                assert one["score"] == pytest.approx(found[0] + 0.5 * found[1] + 0.25 * found[2], abs=1e-4)

    def test_weights_of_nothing_leave_the_order_of_the_translator_per_token(self, translate, language_model):
        code, out, error = translate(
            f"rescore={language_model.folder}", "rescore_weights=0", "n_best=5", "format=jsonl"
        )
        assert code == 0, error
        for row in map(json.loads, out.splitlines()):
            per_token = [
                one["log_prob"] / len(one["target_tokens"]) for one in [row, *row["alternatives"]] if row["source"]
            ]
            assert per_token == sorted(per_token, reverse=True)

    def test_several_runs_translate_together(self, translate, trained):
        assert translate(f"run=[{trained.folder},{trained.folder}]")[1] == translate()[1]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["mbr=ter"], "mbr=ter is unknown; expected chrf or bleu"),
            (["mbr=chrf", "rescore=x"], "x is no run"),
            (["mbr=chrf", "rescore={run}"], "mbr= and rescore= both choose among the candidates; give one of them"),
            (["candidates=9"], "candidates=9 are for mbr= or rescore= to choose among; give one of them"),
            (["rescore=[{lm}]", "rescore_weights=[1,2]"], "rescore_weights=[1, 2] are not 1 numbers, one for each run"),
            (["rescore=[{lm}]", "rescore_weights=much"], "rescore_weights=much are not 1 numbers"),
            (["rescore_weights=1"], "rescore_weights=1 weighs runs of rescore=, and there are none; give both"),
            (["rescore={run}"], "rescore= names a run that has its say already; give others than"),
            (
                ["mbr=chrf", "candidates=6"],
                "candidates=6 are more than search.beam_size=5 can find; set search.beam_size",
            ),
            (["mbr=chrf", "search=greedy"], "candidates=1 leaves nothing to choose; give 2 or more"),
            (["mbr=chrf", "candidates=x"], "candidates=x is no whole number; give one from 2 up, or null"),
            (["mbr=chrf", "search=sample", "candidates=1"], "candidates=1 leaves nothing to choose; give 2 or more"),
        ],
    )
    def test_a_mistake_is_one_line(self, translate, trained, language_model, options, message):
        folders = {"run": trained.folder, "lm": language_model.folder}
        code, out, error = translate(*(option.format(**folders) for option in options))
        assert (code, out) == (2, "")
        assert error.splitlines()[-1].startswith(f"error: {message}")
