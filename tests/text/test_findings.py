"""What speaks against a pair: known answers on tiny corpora of German and Chinese."""

import numpy as np
import pytest
from ill_corpora import SOUND

from s2s.text.findings import CONDEMNING, condemned, findings, norms_of, overlap
from s2s.text.measures import is_line, measure
from s2s.text.scripts import SCRIPTS

TRAIN = SOUND["train"]


def found(*more, corpus=TRAIN):
    """What is found about pairs that stand behind a corpus."""
    measures = measure([*corpus, *more])
    masks = findings(measures, norms_of([measures]))
    assert not any(mask[: len(corpus)].any() for mask in masks.values())
    return [{name for name, mask in masks.items() if mask[row]} for row in range(len(corpus), len(measures))]


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [
        (b"Sch\xf6n hier.", "这里很美。", "not_utf8"),
        ("Schön hier.", "这里很美".encode("gbk"), "not_utf8"),
        ("", "这里很美。", "empty"),
        ("Schön hier.", " \u3000", "empty"),
        ("Schön\x00 hier.", "这里很美。", "control"),
        ("Schön hier.", "这里\u2028很美。", "control"),
        ("Sch\ufffdn hier.", "这里很美。", "control"),
        ("这里的风景真的很美。", "Die Landschaft hier ist schön.", "swapped"),
        ("好的。", "Ja.", "swapped"),
        ("我们明天去上海。", "我们明天去柏林的火车站。", "script"),
        ("Wir kommen morgen.", "Wir sind morgen da.", "script"),
        ("Wir kommen morgen.", "Мы приедем завтра.", "script"),
        ("Ich mag das, was hier steht.", "Ich mag das, was hier steht.", "copy"),
        ("Nein.", "我们明天早上八点在火车站前面的咖啡馆见面，然后一起去。", "length"),
        ("Wir treffen uns morgen früh um acht vor dem Bahnhof und fahren los.", "好", "length"),
        (TRAIN[1][0], TRAIN[1][1], "duplicate"),
        (f" {TRAIN[1][0]}", f"{TRAIN[1][1]} ", "duplicate"),
        (TRAIN[1][0], "老师看书。", "several"),
    ],
)
def test_every_ailment_has_its_name(source, target, name):
    (names,) = found((source, target))
    assert name in names
    assert names - {"script"} == {name} - {"script"}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Kaufst du dir das neue iPhone Pro Max?", "你买新的 iPhone Pro Max 吗？"),
        ("Tom liebt Mary.", "Tom爱Mary。"),
        ("Das Zeichen 水 heißt Wasser.", "“水”字的意思是水。"),
        ("OK.", "OK。"),
        ("1989", "1989"),
        ("Michael", "Michael"),
        ("Danke!", "谢谢！"),
        ("…", "……"),
        ("Nein, danke.", "不用了，谢谢你。"),
        ("Der Hund schläft im Garten, wenn es warm ist.", "狗在花园里睡觉。"),
        ("Er schläft.\t", "他\u3000在 睡觉。"),
    ],
)
def test_nothing_speaks_against_a_usual_pair(source, target):
    assert found((source, target)) == [set()]


def test_the_second_and_third_time_are_repetitions_the_first_is_none():
    pair, other = ("Guten Abend.", "晚上好。"), ("Guten Abend.", "晚安。")
    assert found(pair, other, pair, other) == [set(), {"several"}, {"duplicate"}, {"duplicate"}]


def test_empty_and_unreadable_sides_repeat_and_copy_nothing():
    assert found(("", ""), ("", ""), (b"\xff", b"\xff"), (b"\xff", b"\xff")) == [{"empty"}] * 2 + [{"not_utf8"}] * 2


def test_scripts_that_stand_together_are_at_home_together():
    japanese = [("Das ist ein Buch.", "これはほんです。"), ("Ich gehe nach Hause.", "うちにかえります。")] * 3
    measures = measure([*japanese, ("Amerika ist groß.", "アメリカ"), ("Das Wetter ist gut.", "天気良好")])
    norms = norms_of([measures])
    assert {SCRIPTS[number] for number in norms.own[1]} == {"Hiragana", "Katakana", "Han"}
    assert not findings(measures, norms)["script"].any()


def test_a_small_split_is_judged_by_the_others():
    train, test = measure(TRAIN * 3), measure([(target, source) for source, target in SOUND["test"]])
    assert findings(test, norms_of([train, test]))["swapped"].all()
    assert not findings(test, norms_of([test]))["swapped"].any()


def test_norms_are_medians_and_need_no_pairs():
    norms = norms_of([measure([("aa", "好" * 3), ("bbbb", "好" * 8), ("cc", "好" * 20), ("", "x")])])
    assert norms.ratio == 2
    assert norms.spread == 1 or norms.spread > 1
    nothing = norms_of([])
    assert (nothing.ratio, nothing.own) == (1, (frozenset(), frozenset()))
    assert not any(mask.any() for mask in findings(measure([]), nothing).values())


def test_what_splits_share_is_told_with_the_first_place():
    train = measure([("x", "1"), ("a", "2"), ("a", "3"), ("b", "4"), ("", "5"), (b"\xff", "6")])
    test = measure([("a", "3"), (" a ", "9"), ("c", "4"), ("d", "8"), ("", "5"), (b"\xff", "6")])
    common = overlap(test, train)
    assert {name: np.flatnonzero(mask).tolist() for name, mask in common.masks.items()} == {
        "pairs": [0],
        "sources": [0, 1],
        "targets": [0, 2, 4, 5],
    }
    assert common.rows["pairs"][0] == 2
    assert common.rows["sources"][:2].tolist() == [1, 1]
    assert common.rows["targets"][2] == 3
    for one, other in ((test, measure([])), (measure([]), train)):
        assert not any(mask.any() for mask in overlap(one, other).masks.values())


def test_a_pair_is_left_out_for_one_reason():
    measures = measure([*TRAIN, ("", "\x00"), ("", "\x00"), TRAIN[0], TRAIN[1]])
    shared = np.zeros(len(measures), bool)
    shared[[0, -1]] = True
    reasons = condemned(findings(measures, norms_of([measures])), shared)
    assert {name: int(mask.sum()) for name, mask in reasons.items() if mask.any()} == {
        "empty": 2,
        "duplicate": 2,
        "overlap": 1,
    }
    assert list(reasons) == [*CONDEMNING, "overlap"]


def test_pairs_are_measured_alike_in_any_company(monkeypatch):
    pairs = [*TRAIN, (b"\xff", "好"), ("a\n", "好\r"), ("\ufeffx", "1")]
    whole = measure(pairs)
    monkeypatch.setattr("s2s.text.measures.CHUNK_PAIRS", 2)
    monkeypatch.setattr("s2s.text.measures.CHUNK_CHARACTERS", 40)
    cut = measure(iter(pairs))
    for name, value in vars(whole).items():
        np.testing.assert_array_equal(getattr(cut, name), value, err_msg=name)
    assert whole.unwritable[-2:].tolist() == [[True, True], [True, False]]
    assert [is_line(text) for text in ("a\rb", "a\n", "a\r", "\ufeffa", "a\u2028")] == [True, False, False, False, True]
