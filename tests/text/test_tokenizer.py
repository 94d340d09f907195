"""Tokenizers: text goes in and comes back as it was, whatever people write, and mistakes are told in one line."""

import io
import re
import unicodedata

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s.errors import InputError
from s2s.text.tokenizer import BOS, EOS, EOS_PIECE, PAD, UNK, Tokenizer, TokenizerRecipe, normalise

ALGORITHMS = ["bpe", "unigram", "char"]
GERMAN = ["Der kleine Hund schläft im großen Garten.", "Schöne Grüße aus Köln!", "Wie geht’s dir, Jürgen?"]
CHINESE = ["你好，世界。", "我喜欢《红楼梦》！", "他问：“你是谁？”、（笑）；……"]
SIGNS = ["1 < 2 und 3 > 2 / a b p"]
CORPUS = (GERMAN + CHINESE + SIGNS) * 10

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


def recipe(algorithm="bpe", vocabulary_size=110, **options):
    return TokenizerRecipe(algorithm=algorithm, vocabulary_size=vocabulary_size, **options)


TRAINED = {}


def tokenizer(algorithm="bpe"):
    """Train once for all tests, since none of them can change a tokenizer."""
    if algorithm not in TRAINED:
        TRAINED[algorithm] = recipe(algorithm).train(CORPUS)
    return TRAINED[algorithm]


@every_algorithm
def test_text_comes_back_as_it_went_in(algorithm):
    trained = tokenizer(algorithm)
    assert [trained.decode(ids) for ids in trained.encode(CORPUS)] == CORPUS


@every_algorithm
def test_chinese_punctuation_is_not_made_latin(algorithm):
    text = "，。！？：；（）“”、……"
    assert normalise(text) == text
    assert "，" in tokenizer(algorithm).decode(tokenizer(algorithm).encode([CHINESE[0]])[0])
    assert normalise("Ａ１ ﬁ ²") == "Ａ１ ﬁ ²"


@every_algorithm
def test_decomposed_umlauts_are_composed(algorithm):
    decomposed = unicodedata.normalize("NFD", GERMAN[1])
    assert decomposed != GERMAN[1]
    trained = tokenizer(algorithm)
    assert trained.encode([decomposed]) == trained.encode([GERMAN[1]])
    assert trained.pieces(decomposed) == trained.pieces(GERMAN[1])


def test_blanks_of_every_kind_are_one():
    assert normalise("  a\t b\u3000c\u00a0\n d ") == "a b c d"


@every_algorithm
@pytest.mark.parametrize("text", ["", "   ", "\u3000\n"])
def test_an_empty_text_is_eos_alone(algorithm, text):
    trained = tokenizer(algorithm)
    assert trained.encode([text]) == [[EOS]]
    assert trained.pieces(text) == ["</s>"]
    assert trained.decode([EOS]) == ""


@every_algorithm
@settings(deadline=None, max_examples=60)
@given(text=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("aHund Жщ好あ<s>/▁"), max_size=30))
def test_pieces_and_ids_have_one_number_whatever_is_written(algorithm, text):
    trained = tokenizer(algorithm)
    [ids], pieces = trained.encode([text]), trained.pieces(text)
    assert len(pieces) == len(ids)
    assert ids[-1] == EOS
    assert {PAD, BOS, EOS}.isdisjoint(ids[:-1])
    known = [(index, piece) for index, piece in zip(ids, pieces, strict=True) if index != UNK]
    assert trained.pieces_of([index for index, _ in known]) == [piece for _, piece in known]


@every_algorithm
def test_unknown_characters_in_a_row_are_one_piece_that_shows_them(algorithm):
    trained = tokenizer(algorithm)
    [ids], pieces = trained.encode(["Hund ЖЩЖ Garten"]), trained.pieces("Hund ЖЩЖ Garten")
    assert len(pieces) == len(ids)
    assert [piece for index, piece in zip(ids, pieces, strict=True) if index == UNK] == ["ЖЩЖ"]


@every_algorithm
def test_the_first_four_ids_are_pad_unk_bos_eos(algorithm):
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert tokenizer(algorithm).pieces_of(range(4)) == ["<pad>", "<unk>", "<s>", "</s>"]


@every_algorithm
@pytest.mark.parametrize("text", ["<s>", "</s>", "<s> Hund </s>", "<pad>", "a<s>b"])
def test_markup_that_a_person_types_is_text(algorithm, text):
    trained = tokenizer(algorithm)
    [ids] = trained.encode([text])
    assert {PAD, BOS, EOS}.isdisjoint(ids[:-1])
    assert trained.decode(ids) == text


def test_special_ids_leave_no_trace_in_text():
    trained = tokenizer()
    [ids] = trained.encode([GERMAN[0]])
    assert trained.decode([BOS, *ids, PAD, PAD]) == GERMAN[0]


def test_joint_tokenizers_are_one_model_and_others_know_their_language_alone():
    one, other = recipe(joint=True).train_pair(GERMAN * 10, CHINESE * 10)
    assert one.model == other.model
    assert UNK not in one.encode([GERMAN[0] + CHINESE[0]])[0]
    source, target = recipe("char", joint=False).train_pair(GERMAN * 10, CHINESE * 10)
    assert UNK not in source.encode([GERMAN[0]])[0]
    assert UNK in source.encode([CHINESE[0]])[0]
    assert UNK in target.encode([GERMAN[0]])[0]


def test_the_vocabulary_is_as_large_as_was_asked():
    assert len(tokenizer("bpe")) == 110
    assert len(tokenizer("unigram")) <= 110


@pytest.mark.parametrize("size", [5, 5000])
def test_characters_all_have_a_piece_whatever_size_was_asked(size):
    trained = recipe("char", size).train(CORPUS)
    # SentencePiece writes a blank as one more character.
    assert len(trained) == 4 + len({character for text in CORPUS for character in text})


def test_rare_characters_are_unknown_where_coverage_is_not_whole():
    texts = ["aaaa bbbb"] * 200 + ["q"]
    assert UNK not in recipe("char").train(texts).encode(["q"])[0]
    assert UNK in recipe("char", character_coverage=0.99).train(texts).encode(["q"])[0]


def test_a_saved_tokenizer_is_the_same_when_loaded(tmp_path):
    path = tmp_path / "new" / "source.model"
    tokenizer().save(path)
    assert Tokenizer.load(path).encode(CORPUS) == tokenizer().encode(CORPUS)


@pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
def test_sampling_differs_between_seeds_and_between_copies_and_still_spells_the_text(algorithm):
    trained, texts = tokenizer(algorithm), [GERMAN[0]] * 500

    def sample(seed):
        return trained.encode(texts, sampling=0.3, seed=seed)

    first = sample("1")
    assert all(sample("1") == first for _ in range(5))
    assert sample("2") != first
    assert len({tuple(ids) for ids in first}) > 1
    assert {trained.decode(ids) for ids in first} == {GERMAN[0]}
    assert {ids[-1] for ids in first} == {EOS}


def test_without_sampling_a_text_is_always_cut_alike():
    assert len({tuple(ids) for ids in tokenizer().encode([GERMAN[0]] * 20)}) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"vocabulary_size": 100_000},
            r"vocabulary_size=100000 does not fit this corpus \(.*too high.*\); set another",
        ),
        ({"vocabulary_size": 10}, r"vocabulary_size=10 does not fit this corpus \(.*smaller than required.*\); set"),
        ({"algorithm": "unigram", "vocabulary_size": 10}, "vocabulary_size=10 does not fit this corpus"),
        ({"vocabulary_size": 0}, r"vocabulary_size=0 does not fit this corpus \(too small, or no text\)"),
        ({"algorithm": "words"}, "algorithm is 'words', expected bpe, unigram, char or word; use tokenizer=bpe"),
        ({"character_coverage": 0.0}, "character_coverage=0.0 is no share; give a number up to 1"),
        ({"character_coverage": 1.5}, "character_coverage=1.5 is no share"),
        ({"sampling": -0.1}, "sampling=-0.1 does not go with tokenizer.algorithm=bpe"),
        ({"algorithm": "char", "sampling": 0.1}, "sampling=0.1 does not go with .*=char: .*; set tokenizer.sampling=0"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(options, message):
    with pytest.raises(InputError, match=message) as caught:
        recipe(**options).train(CORPUS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_a_corpus_without_text_is_refused(texts):
    with pytest.raises(InputError, match=r"does not fit this corpus \(.*no text\)"):
        recipe().train(texts)


@pytest.mark.parametrize("damage", [lambda model: b"", lambda model: b"hello", lambda model: model[: len(model) // 2]])
def test_damaged_bytes_are_refused(damage):
    with pytest.raises(
        InputError, match=r"not a SentencePiece model \(\d+ bytes\): the file is damaged; copy it again"
    ):
        Tokenizer(damage(tokenizer().model))


def test_a_model_with_other_ids_is_refused():
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(GERMAN * 10), model_writer=buffer, model_type="char", minloglevel=2
    )
    with pytest.raises(InputError, match=r"= \(-1, 0, 1, 2\), expected \(0, 1, 2, 3\); train it with this toolkit"):
        Tokenizer(buffer.getvalue())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no tokenizer at .*source.model: expected a SentencePiece model"):
        Tokenizer.load(tmp_path / "source.model")


def test_no_piece_has_two_chinese_characters_where_they_are_split():
    sentences = ["我们去图书馆看书。", "图书馆里有很多书，我们在图书馆。", "Wir lesen in der Bibliothek gern 书。"] * 20
    joined, split = (
        TokenizerRecipe(algorithm="bpe", vocabulary_size=70, split_chinese=split).train(sentences)
        for split in (False, True)
    )
    assert any(len(re.findall("[\u4e00-\u9fff]", piece)) > 1 for piece in joined.pieces(sentences[0]))
    for sentence in [*sentences, "图书馆\u2060图书馆"]:
        assert all(len(re.findall("[\u4e00-\u9fff]", piece)) <= 1 for piece in split.pieces(sentence))
    assert max(map(len, split.pieces(sentences[2]))) > 3
    for sentence in sentences:
        assert split.decode(split.encode([sentence])[0]) == sentence


def test_ids_of_pieces_are_those_the_pieces_were_made_from(trained):
    tokenizer, _ = trained.tokenizers()
    for text in ("eins zwei", "日本 null", ""):
        assert tokenizer.ids_of(tokenizer.pieces(text)) == tokenizer.encode([text])[0]


@every_algorithm
def test_a_symbol_is_always_one_piece(algorithm):
    marked = recipe(algorithm, symbols=["<bt>"]).train(CORPUS)
    assert [piece for piece in marked.pieces("<bt> Der Hund") if "bt" in piece] == ["<bt>"]
    assert marked.decode(marked.encode(["<bt> Der Hund"])[0]) == "<bt> Der Hund"
    if algorithm != "char":
        symbol = marked.ids_of(["<bt>"])[0]
        assert all(symbol in ids for ids in marked.encode(["<bt> Der Hund"] * 50, sampling=0.9))


@every_algorithm
@pytest.mark.parametrize("text", ["Der kleine Hund.", "我喜欢《红楼梦》！", ""])
def test_backwards_turns_pieces_round_and_text_comes_back_the_right_way(algorithm, text):
    forwards = tokenizer(algorithm)
    backwards = Tokenizer(forwards.model, backwards=True)
    (ids,), (turned,) = forwards.encode([text]), backwards.encode([text])
    assert turned == [*ids[:-1][::-1], EOS]
    assert backwards.pieces(text) == backwards.pieces_of(turned)
    assert backwards.decode(turned) == normalise(text)


def test_of_a_recipe_backwards_only_targets_are_written_backwards_and_a_file_is_read_as_one_asks(tmp_path):
    source, target = recipe(backwards=True).train_pair(GERMAN * 10, CHINESE * 10)
    assert (source.backwards, target.backwards) == (False, True)
    target.save(tmp_path / "target.model")
    assert Tokenizer.load(tmp_path / "target.model", backwards=True).encode(GERMAN) == target.encode(GERMAN)


def test_words_are_what_stands_between_blanks_the_most_frequent_as_many_as_asked():
    words = recipe("word", vocabulary_size=7).train(["ə b b ɒ ɒ ɒ 词 词 词 词"])
    assert len(words) == 7
    assert words.pieces("词 b  ɒ") == ["▁词", "▁b", "▁ɒ", EOS_PIECE]
    assert words.decode(words.encode(["词 b  ɒ"])[0]) == "词 b ɒ"
    assert words.encode(["词 bɒ 词"])[0] == [4, UNK, 4, EOS]
    assert len(recipe("word", vocabulary_size=999).train(["ə b"])) == 6


def test_a_model_that_maps_characters_is_refused():
    buffer = io.BytesIO()
    ids = {"pad_id": PAD, "unk_id": UNK, "bos_id": BOS, "eos_id": EOS}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(GERMAN * 10), model_writer=buffer, model_type="char", minloglevel=2, **ids
    )
    with pytest.raises(InputError, match=r"maps characters, and this toolkit normalises .*; train it with this"):
        Tokenizer(buffer.getvalue())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("▁", ""),
        ("eins▁▁zwei", "eins zwei"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83db\udcff", "a\ufffdb\ufffd"),
        ("\u2028\x85\x1f", ""),
    ],
)
def test_what_is_no_text_for_sentencepiece_becomes_some(text, expected):
    assert normalise(text) == expected
