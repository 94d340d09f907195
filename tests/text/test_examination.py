"""The examination of whole corpora: what is told of files, splits and pairs, and the copy without it."""

import codecs
import gzip
import json
from pathlib import Path

import datasets
import pytest
from ill_corpora import SOUND, german_chinese, write_corpus

from s2s.errors import InputError
from s2s.text.corpus import Corpus
from s2s.text.examination import examine
from s2s.text.opened import OpenedSplit, excerpt

SHARED = Path(__file__).parents[3] / "shared" / "data"
ILL = [
    ("", "这里很美。"),
    ("Schön\x00 hier.", "这里很美。"),
    (b"Sch\xf6n hier.", "这里很美。"),
    ("这里的风景真的很美。", "Die Landschaft hier ist schön."),
    ("Wir kommen morgen.", "Wir sind morgen da."),
    ("Ich mag das, was hier steht.", "Ich mag das, was hier steht."),
    ("Wir treffen uns morgen früh um acht vor dem Bahnhof und fahren los.", "好"),
    SOUND["train"][0],
    (SOUND["train"][0][0], "狗正在花园里睡觉。"),
    SOUND["test"][0],
    (SOUND["valid"][0][0], "屋顶上有一只猫。"),
    ("Sie spielt Klavier.", SOUND["test"][1][1]),
]


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def looked_at(tmp_path):
    """Examine a folder of German and Chinese; lines that are said are kept."""

    def look(folder=tmp_path / "corpus", *, clean=None, **options):
        corpus = german_chinese(folder, **options)
        look.said = []
        record = examine(corpus, clean=None if clean is None else str(clean), say=look.said.append)
        assert json.loads(json.dumps(record)) == record
        return record

    return look


def counts(record):
    return {(one["split"], one["finding"]): one["count"] for one in record["findings"]}


def finding(record, name, split="train"):
    (one,) = [one for one in record["findings"] if (one["split"], one["finding"]) == (split, name)]
    return one


def left_out(record):
    return {one["split"]: one["left_out"] for one in record["clean"]["splits"]}


def pairs_in(folder, split):
    german, chinese = (
        (folder / f"{split}.{language}").read_text(encoding="utf-8").split("\n") for language in ("de", "zh")
    )
    return list(zip(german, chinese, strict=True))[:-1]


def test_a_sound_corpus_has_no_findings(tmp_path, looked_at):
    record = looked_at(write_corpus(tmp_path / "corpus"))
    assert record["findings"] == []
    assert [(one["split"], one["pairs"]) for one in record["splits"]] == [("train", 9), ("valid", 2), ("test", 2)]
    assert record["overlap"] == [
        {"split": split, "with": "train", "pairs": 0, "sources": 0, "targets": 0} for split in ("valid", "test")
    ]
    assert left_out(record) == {"train": {}, "valid": {}, "test": {}}
    assert looked_at.said == []


def test_splits_are_described_by_pairs_lengths_and_scripts(tmp_path, looked_at):
    splits = {"train": [("Ja.", "是 的 。"), ("Nein, A!", "不对，A")], "test": [("x", "好")]}
    train, test = looked_at(write_corpus(tmp_path / "corpus", splits=splits))["splits"]
    assert (train["pairs"], test["pairs"]) == (2, 1)
    assert train["characters"] == {"source": 5.0, "target": 3.5}
    assert train["scripts"] == {"source": {"Latin": 1.0}, "target": {"Han": 0.8, "Latin": 0.2}}


def test_every_finding_has_its_count_and_its_first_lines(tmp_path, looked_at):
    record = looked_at(write_corpus(tmp_path / "corpus", train=ILL))
    assert counts(record) == {
        **dict.fromkeys((("train", name) for name in ("not_utf8", "empty", "control", "swapped", "copy")), 1),
        ("train", "script"): 2,  # the copy is German on both sides
        ("train", "length"): 1,
        ("train", "duplicate"): 1,
        ("train", "several"): 1,
        ("valid", "sources_in_train"): 1,
        **dict.fromkeys((("test", f"{what}_in_train") for what in ("pairs", "sources")), 1),
        ("test", "targets_in_train"): 2,
    }
    assert finding(record, "empty")["first"] == [{"line": 10, "source": "", "target": "这里很美。"}]
    assert finding(record, "control")["first"][0]["source"] == r"Schön\x00 hier."
    assert finding(record, "not_utf8")["first"] == [{"line": 12, "source": r"Sch\xf6n hier.", "target": "这里很美。"}]
    german, chinese = SOUND["test"][0]
    assert finding(record, "pairs_in_train", "test")["first"] == [
        {"line": 1, "source": german, "target": chinese, "line_there": 19}
    ]
    assert finding(record, "targets_in_train", "test")["first"][1]["line_there"] == 21
    assert record["overlap"] == [
        {"split": "valid", "with": "train", "pairs": 0, "sources": 1, "targets": 0},
        {"split": "test", "with": "train", "pairs": 1, "sources": 1, "targets": 2},
    ]


def test_a_finding_shows_the_first_three_of_many(tmp_path, looked_at):
    one = finding(looked_at(write_corpus(tmp_path / "corpus", train=[("", "好")] * 5)), "empty")
    assert (one["count"], [example["line"] for example in one["first"]]) == (5, [10, 11, 12])


def test_the_copy_has_what_nothing_speaks_against_and_says_what_it_lacks(tmp_path, looked_at):
    record = looked_at(write_corpus(tmp_path / "corpus", train=ILL), clean=tmp_path / "new" / "clean")
    reasons = ("not_utf8", "empty", "control", "swapped", "length", "duplicate")
    expected = {**dict.fromkeys(reasons, 1), "script": 2, "overlap": 2}
    assert left_out(record) == {"train": expected, "valid": {}, "test": {}}
    train, *_ = record["clean"]["splits"]
    assert train["kept"] + sum(expected.values()) == len(SOUND["train"]) + len(ILL)
    kept = [*SOUND["train"], ILL[8], ILL[11]]
    assert pairs_in(tmp_path / "new" / "clean", "train") == kept
    for split in ("valid", "test"):
        assert pairs_in(tmp_path / "new" / "clean", split) == SOUND[split]
    again = looked_at(tmp_path / "new" / "clean")
    assert counts(again) == {("train", "several"): 1, ("test", "targets_in_train"): 1}
    assert left_out(again)["train"] == {}
    loaded = german_chinese(tmp_path / "new" / "clean").load("train")
    assert list(zip(loaded["source"], loaded["target"], strict=True)) == kept


def test_without_a_copy_the_same_is_told_and_nothing_written(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus", train=ILL)
    before = sorted(tmp_path.rglob("*"))
    dry = looked_at(folder)
    assert sorted(tmp_path.rglob("*")) == before
    wet = looked_at(folder, clean=tmp_path / "clean")
    assert dry["clean"].pop("folder") is None
    assert wet["clean"].pop("folder") == str(tmp_path / "clean")
    assert dry == wet


def test_pairs_that_are_scored_stay_unless_they_cannot_be_read(tmp_path, looked_at):
    extra = [("", "空"), ("a\x00", "a\x00"), (b"\xff", "好"), SOUND["test"][0], (" Tim! ", "\tTim！\u3000")]
    record = looked_at(write_corpus(tmp_path / "corpus", test=extra), clean=tmp_path / "clean")
    assert {name for split, name in counts(record) if split == "test"} == {"empty", "control", "not_utf8", "duplicate"}
    assert left_out(record)["test"] == {"not_utf8": 1}
    assert pairs_in(tmp_path / "clean", "test") == [*SOUND["test"], *extra[:2], *extra[3:]]


def test_word_links_go_with_their_pairs(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus", train=[("", "好"), ("Na ja.", "还行。")])
    (folder / "train.de-zh.align").write_text("".join(f"0-{n}\n" for n in range(11)))
    (folder / "valid.de-zh.align").write_text("0-0\n")
    (folder / "test.de-zh.align").write_bytes(b"\xff\n\n")
    looked_at(folder, clean=tmp_path / "clean")
    links = (tmp_path / "clean" / "train.de-zh.align").read_text().split()
    assert links == [f"0-{n}" for n in (*range(9), 10)]
    assert sorted(path.name for path in (tmp_path / "clean").glob("*.align")) == ["train.de-zh.align"]
    valid, test = looked_at.said
    assert valid == "word links of valid are left out of the copy: 1 for 2 pairs"
    assert test.startswith("word links of test are left out of the copy: ")


def test_marks_and_carriage_returns_are_findings_and_absent_from_the_copy(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus", ending="\r\n")
    german = folder / "train.de"
    german.write_bytes(codecs.BOM_UTF8 + german.read_bytes())
    record = looked_at(folder, clean=tmp_path / "clean")
    assert finding(record, "bom") == {
        "finding": "bom",
        "split": "train",
        "file": str(german),
        "count": 1,
        "first": [{"line": 1}],
    }
    endings = [one for one in record["findings"] if one["finding"] == "crlf"]
    assert [(one["split"], one["count"]) for one in endings] == [
        *[("train", 9)] * 2,
        *[("valid", 2)] * 2,
        *[("test", 2)] * 2,
    ]
    assert endings[0]["first"] == [{"line": 1}, {"line": 2}, {"line": 3}]
    assert pairs_in(tmp_path / "clean", "train") == SOUND["train"]


def test_utf16_is_one_finding_and_utf8_in_the_copy(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus")
    chinese = folder / "train.zh"
    chinese.write_bytes(chinese.read_text(encoding="utf-8").encode("utf-16"))
    record = looked_at(folder, clean=tmp_path / "clean")
    assert counts(record) == {("train", "utf16"): 9}
    assert pairs_in(tmp_path / "clean", "train") == SOUND["train"]


def test_a_line_separator_inside_a_line_breaks_no_alignment(tmp_path, looked_at):
    inside = ("Zwei\u2028Zeilen sind das hier.", "这里\x85有两\x0c行字。")
    record = looked_at(write_corpus(tmp_path / "corpus", train=[inside], test=[inside]), clean=tmp_path / "clean")
    assert finding(record, "control")["first"] == [
        {"line": 10, "source": r"Zwei\u2028Zeilen sind das hier.", "target": r"这里\x85有两\x0c行字。"}
    ]
    assert pairs_in(tmp_path / "clean", "test") == [*SOUND["test"], inside]


def test_a_split_whose_counts_differ_is_not_copied(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus")
    with (folder / "train.zh").open("a", encoding="utf-8") as file:
        file.write("多了一行。\n\n")
    record = looked_at(folder, clean=tmp_path / "clean")
    one = finding(record, "line_counts")
    assert (one["count"], one["first"]) == (2, [{"line": 10}])
    assert one["lines"] == {str(folder / "train.de"): 9, str(folder / "train.zh"): 11}
    assert record["clean"]["splits"][0] == {"split": "train", "kept": 0, "left_out": {}, "unwritten": "not_aligned"}
    assert sorted(path.name for path in (tmp_path / "clean").iterdir()) == [
        "test.de",
        "test.zh",
        "valid.de",
        "valid.zh",
    ]


def test_blank_lines_at_the_end_of_one_file_are_told_and_left_out(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus")
    with (folder / "train.de").open("a", encoding="utf-8") as file:
        file.write("\n \n")
    record = looked_at(folder, clean=tmp_path / "clean")
    assert counts(record) == {("train", "line_counts"): 2}
    assert pairs_in(tmp_path / "clean", "train") == SOUND["train"]


def test_empty_files_are_no_end(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus", splits={**SOUND, "valid": []})
    (folder / "test.de").write_bytes(b"")
    record = looked_at(folder, clean=tmp_path / "clean")
    assert counts(record) == {("valid", "no_pairs"): 1, ("test", "line_counts"): 2, ("test", "no_pairs"): 1}
    assert {one["split"]: one["unwritten"] for one in record["clean"]["splits"]} == {
        "train": None,
        "valid": "nothing_left",
        "test": "not_aligned",
    }


def test_a_training_split_of_nothing_but_ill_pairs_is_not_written(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus", splits={"train": [("", "好")]})
    record = looked_at(folder, clean=tmp_path / "clean")
    assert record["clean"]["splits"] == [
        {"split": "train", "kept": 0, "left_out": {"empty": 1}, "unwritten": "nothing_left"}
    ]
    assert not (tmp_path / "clean").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.jsonl", b'{"de": "a", "zh": "b"}\n{"de": 1}\n', "train.jsonl, line 2: "),
        ("train.tsv", b"a\tb\nc\n", "train.tsv, line 2: 1 cells"),
        ("train.parquet", b"none", "train.parquet: cannot be read"),
        ("train.tsv", b"", "no pairs"),
    ],
)
def test_a_table_that_training_refuses_is_a_finding(tmp_path, looked_at, name, content, message):
    folder = write_corpus(tmp_path / "corpus", splits={"test": SOUND["test"]})
    (folder / name).write_bytes(content)
    record = looked_at(folder, clean=tmp_path / "clean")
    one = finding(record, "unreadable")
    assert message in one["message"]
    assert [split["split"] for split in record["splits"]] == ["test"]
    assert record["clean"]["splits"][0] == {"split": "train", "kept": 0, "left_out": {}, "unwritten": "unreadable"}


def test_a_damaged_gzip_file_is_a_finding(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus")
    for language in ("de", "zh"):
        (folder / f"valid.{language}").unlink()
        (folder / f"valid.{language}.gz").write_bytes(gzip.compress(b"a\n" * 99)[:-4])
    assert "expected a whole gzip file" in finding(looked_at(folder), "unreadable", "valid")["message"]


@pytest.mark.parametrize("form", ["jsonl", "parquet", "saved", "tsv"])
def test_datasets_are_examined_and_copied_like_text(tmp_path, looked_at, form):
    folder = tmp_path / "corpus"
    folder.mkdir()
    odd = ("Zeile\neins.", "第一\t行。") if form != "tsv" else ("", "好")
    for split, pairs in {**SOUND, "train": [*SOUND["train"], odd], "test": [*SOUND["test"], odd]}.items():
        rows = datasets.Dataset.from_list([{"zh": target, "de": source} for source, target in pairs])
        if form == "jsonl":
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
        elif form == "parquet":
            rows.to_parquet(folder / f"{split}.parquet")
        elif form == "saved":
            rows.save_to_disk(folder / split)
        else:
            (folder / f"{split}.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    record = looked_at(folder, clean=tmp_path / "clean")
    assert pairs_in(tmp_path / "clean", "train") == SOUND["train"]
    if form == "tsv":
        assert left_out(record) == {"train": {"empty": 1}, "valid": {}, "test": {}}
        assert pairs_in(tmp_path / "clean", "test") == [*SOUND["test"], odd]
    else:
        assert left_out(record) == {"train": {"control": 1}, "valid": {}, "test": {"line_break": 1}}
        assert pairs_in(tmp_path / "clean", "test") == SOUND["test"]
        assert finding(record, "control")["first"][0]["source"] == r"Zeile\neins."


def test_the_hubs_pairs_are_examined(monkeypatch):
    train = datasets.Dataset.from_list([{"de": "a", "zh": "b"}, {"de": "", "zh": "b"}])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.DatasetDict({"train": train}))
    hub = Corpus(source="de", target="zh", label="hub", name="owner/pairs")
    assert counts(examine(hub, clean=None, say=print)) == {("train", "empty"): 1}


def test_a_limit_looks_at_the_first_training_pairs(tmp_path, looked_at):
    record = looked_at(write_corpus(tmp_path / "corpus", train=[("", "好")]), limit=3)
    assert [one["pairs"] for one in record["splits"]] == [3, 2, 2]
    assert record["findings"] == []
    with pytest.raises(InputError, match=r"data.limit=0 leaves no pair"):
        looked_at(limit=0)


@pytest.mark.parametrize("form", ["text", "table"])
def test_extra_training_pairs_are_looked_at_without_their_tag(tmp_path, looked_at, form):
    folder = write_corpus(tmp_path / "corpus")
    extra = [SOUND["test"][0], ("", "好"), ("Na ja, das geht so.", "还行吧。")]
    write_corpus(tmp_path / "more", splits={"x": extra})
    names = [str(tmp_path / "more" / f"x.{language}") for language in ("de", "zh")]
    if form == "table":
        names = str(tmp_path / "more" / "x.tsv")
        (tmp_path / "more" / "x.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in extra), encoding="utf-8")
    record = looked_at(folder, clean=tmp_path / "clean", extra=names, extra_tag="<BT>")
    assert counts(record) == {
        ("extra", "empty"): 1,
        **{("test", f"{what}_in_extra"): 1 for what in ("pairs", "sources", "targets")},
    }
    assert [(one["split"], one["with"], one["pairs"]) for one in record["overlap"]] == [
        ("valid", "train", 0),
        ("valid", "extra", 0),
        ("test", "train", 0),
        ("test", "extra", 1),
    ]
    assert pairs_in(tmp_path / "clean", "extra") == extra[2:]


def test_test_sets_of_any_name_are_looked_at_and_other_tables_named(tmp_path, looked_at):
    folder = write_corpus(
        tmp_path / "corpus", splits={"train": SOUND["train"], "test_unseen": SOUND["test"], "dev": SOUND["valid"]}
    )
    (folder / "words.tsv").write_text("a\tb\n")
    record = looked_at(folder)
    assert [one["split"] for one in record["splits"]] == ["train", "valid", "test_unseen"]
    assert looked_at.said == ["not looked at: words; data.test=FILE looks at one of them"]


def test_what_is_not_there_is_a_mistake(tmp_path, looked_at):
    with pytest.raises(InputError, match=r"data.path: .*nowhere does not exist"):
        looked_at(tmp_path / "nowhere")
    (tmp_path / "corpus").mkdir()
    with pytest.raises(InputError, match="no split 'train'"):
        looked_at()
    with pytest.raises(InputError, match=r"data.test: .*none.tsv does not exist"):
        looked_at(write_corpus(tmp_path / "corpus"), test="none.tsv")


def test_a_copy_is_never_written_over_anything(tmp_path, looked_at):
    folder = write_corpus(tmp_path / "corpus")
    with pytest.raises(InputError, match=r"clean=.*corpus is there already and holds test.de, .*; give a new folder"):
        looked_at(folder, clean=folder)
    with pytest.raises(InputError, match=r"clean=.*train.de is there already .*; give a new folder"):
        looked_at(folder, clean=folder / "train.de")
    with pytest.raises(InputError, match=r"clean=.*train.de/x cannot be written \(.*\); give another folder"):
        looked_at(folder, clean=folder / "train.de" / "x")
    (tmp_path / "empty").mkdir()
    looked_at(folder, clean=tmp_path / "empty")
    assert pairs_in(tmp_path / "empty", "test") == SOUND["test"]


def test_progress_is_told_every_few_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr("s2s.text.opened.ROWS", 4)
    monkeypatch.setattr("s2s.text.opened.SECONDS_PER_LINE", -1)
    said = []
    list(OpenedSplit(german_chinese(write_corpus(tmp_path / "corpus")), "train").pairs("read", said.append))
    assert said == ["train: read 4 pairs", "train: read 8 pairs"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("好的", "好的"),
        ("a\x00\u2028\t好", r"a\x00\u2028\t好"),
        ("好" * 60, "好" * 48 + "…"),
        ("好" * 60 + "\x00", "…" + "好" * 24 + r"\x00"),
        (b"sch\xf6n", r"sch\xf6n"),
        ("好".encode() * 60 + b"\xff" + b"a" * 60, "…" + "好" * 24 + r"\xff" + "a" * 20 + "…"),
    ],
)
def test_an_excerpt_shows_what_is_odd_on_one_short_line(line, shown):
    assert excerpt(line) == shown


@pytest.mark.skipif(not (SHARED / "tatoeba-zh-en").is_dir(), reason="../shared/data/tatoeba-zh-en is not there")
def test_chinese_that_is_cut_into_words_is_found_sound_but_for_what_it_shares():
    tatoeba = Corpus(source="zh", target="en", label="tatoeba", path=str(SHARED / "tatoeba-zh-en"))
    record = examine(tatoeba, clean=None, say=print)
    found = counts(record)
    assert found["test", "sources_in_train"] == 218
    assert {name for _, name in found} == {"several", "sources_in_train", "targets_in_train"}


@pytest.mark.skipif(not (SHARED / "scan").is_dir(), reason="../shared/data/scan is not there")
@pytest.mark.parametrize(
    ("name", "languages"), [("tatoeba-de-en", ("de", "en")), ("scan/simple", ("cmd", "act")), ("g2p-en", ("g", "p"))]
)
def test_nothing_is_left_out_of_corpora_that_are_sound(name, languages):
    corpus = Corpus(source=languages[0], target=languages[1], label=name, path=str(SHARED / name))
    record = examine(corpus, clean=None, say=print)
    assert set(map(str, left_out(record).values())) == {"{}"}
