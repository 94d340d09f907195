"""Scores of all pairs at once are those that sacreBLEU gives one by one."""

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from s2s.report.utility import UTILITIES, sentence_bleu, sentence_chrf, shared_ngrams

GERMAN = [
    "Der Bäcker, den der Arzt kennt, backt gern Brot.",
    "Der Bäcker backt gern Brot, das der Arzt kennt.",
    "der der der der Arzt",
    "der der Arzt",
    "Brot.",
    "Brot",
    "x",
    "",
    "  ",
    "100 % von 3,5 sind (beinahe) 3.5!",
]
CHINESE = ["医生认识的面包师喜欢烤面包。", "面包师喜欢 烤面包", "面包面包面包", "面", "", "他说:“OK, 好。”"]


@pytest.mark.parametrize(("texts", "language", "tokenizer"), [(GERMAN, "de", "13a"), (CHINESE, "zh", "zh")])
def test_every_pair_scores_as_it_does_alone(texts, language, tokenizer):
    alone = {"chrf": CHRF(), "bleu": BLEU(tokenize=tokenizer, effective_order=True)}
    for name, utility in UTILITIES.items():
        expected = [[alone[name].sentence_score(one, [other]).score for other in texts] for one in texts]
        np.testing.assert_allclose(utility(texts, language=language), expected, atol=1e-9)


def test_a_chinese_text_is_cut_into_characters():
    texts = ["医生喜欢面包", "医生喜欢烤面包"]
    assert sentence_bleu(texts, language="zh")[0, 1] > 20
    assert sentence_bleu(texts, language="en")[0, 1] == 0
    assert (sentence_chrf(texts, language="zh") == sentence_chrf(texts)).all()


def test_an_ngram_is_shared_as_often_as_both_have_it():
    """``aaab`` and ``aab`` share two a, one b; one aa, one ab."""
    for order, (shared, totals) in {1: (3, [4, 3]), 2: (2, [3, 2]), 4: (0, [1, 0])}.items():
        found, counted = shared_ngrams(["aaab", "aab"], order)
        assert found[0, 1] == found[1, 0] == shared
        assert counted.tolist() == totals == np.diag(found).tolist()
