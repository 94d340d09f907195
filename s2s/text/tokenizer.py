"""Text to pieces to ids and back, by SentencePiece (Kudo & Richardson 2018)."""

import io
import random
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import regex
import sentencepiece

from s2s.errors import InputError
from s2s.storage import write_whole
from s2s.text.piece_model import MOST_BYTES, check_bytes, check_pieces, maps_characters
from s2s.text.segmentation import SegmentationSampler

__all__ = ["BOS", "EOS", "PAD", "UNK", "Tokenizer", "TokenizerRecipe", "normalise"]

PAD, UNK, BOS, EOS = 0, 1, 2, 3
EOS_PIECE = "</s>"
EVERY_CHARACTER = 0x110000  # as many as Unicode has room for
CHINESE = regex.compile(r"\p{Han}")
CUT = "\N{WORD JOINER}"
BLANK = "▁"
HALVES = re.compile("[\ud800-\udfff]")

Item = TypeVar("Item", int, str)


def normalise(text: str) -> str:
    """Bring text to Unicode's composed form (NFC) with single blanks between words.

    Compatibility characters stay as they are: NFKC would turn a Chinese comma into a Latin one. ``▁``, by which
    SentencePiece writes a blank, is one. Halves of surrogate pairs are joined, or U+FFFD where they stand alone.
    """
    if not text.isascii():
        if HALVES.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = unicodedata.normalize("NFC", text).replace(BLANK, " ")
    return " ".join(text.split())


class Tokenizer:
    """A SentencePiece model with this project's ids: PAD, UNK, BOS, EOS = 0, 1, 2, 3.

    Args:
        model: a serialised SentencePiece model.
        backwards: a text's last piece is its first id, and so on; EOS stays last.

    Raises:
        InputError: the bytes are no SentencePiece model, or one with other ids.
    """

    def __init__(self, model: bytes, *, backwards: bool = False) -> None:
        self.model = model
        self.backwards = backwards
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            check_bytes(model)
            self._processor.LoadFromSerializedProto(model)
            ids, mapped = self._special_ids(), maps_characters(model)
            if ids == (PAD, UNK, BOS, EOS) and not mapped:
                check_pieces(self._processor)
        except (RuntimeError, OSError, ValueError) as error:
            raise InputError(
                f"not a SentencePiece model ({len(model)} bytes): the file is damaged; copy it again"
            ) from error
        if ids != (PAD, UNK, BOS, EOS):
            raise InputError(
                f"the SentencePiece model has PAD, UNK, BOS, EOS = {ids}, expected {(PAD, UNK, BOS, EOS)}; "
                "train it with this toolkit"
            )
        if mapped:
            raise InputError(
                "the SentencePiece model maps characters, and this toolkit normalises text before it; train it with "
                "this toolkit"
            )

    def _special_ids(self) -> tuple[int, ...]:
        """The ids of PAD, UNK, BOS and EOS in the model."""
        return tuple(getattr(self._processor, f"{name}_id")() for name in ("pad", "unk", "bos", "eos"))

    def __len__(self) -> int:
        """Return the number of pieces, V."""
        return int(self._processor.get_piece_size())

    def encode(self, texts: Sequence[str], *, sampling: float = 0.0, seed: str = "") -> list[list[int]]:
        """Cut texts into piece ids, EOS last; an empty text is EOS alone.

        Args:
            texts: sentences as people write them.
            sampling: 0 for the one best segmentation; above 0 the probability to skip a merge (BPE-dropout,
                Provilkov et al. 2020) or the smoothing of unigram sampling (Kudo 2018).
            seed: which segmentations are drawn.
        """
        encoded: list[list[int]]
        if sampling > 0:
            sampler, generator = self._sampler(), random.Random(seed)
            encoded = [[*sampler.draw(normalise(text), sampling, generator), EOS] for text in texts]
        else:
            encoded = self._processor.encode([normalise(text) for text in texts], out_type=int, add_eos=True)
        return [self._turned(ids) for ids in encoded] if self.backwards else encoded

    def _sampler(self) -> SegmentationSampler:
        """What draws segmentations."""
        every = range(len(self))
        scores = [self._processor.get_score(index) for index in every]
        return SegmentationSampler(self.pieces_of(every), scores, special=EOS + 1, unknown=UNK)

    @staticmethod
    def _turned(sentence: list[Item]) -> list[Item]:
        """Turn all but EOS round."""
        return sentence[:-1][::-1] + sentence[-1:]

    def pieces(self, text: str) -> list[str]:
        """Return the pieces of a text, EOS last: as many as ``encode`` gives ids, unknown characters as themselves."""
        pieces: list[str] = self._processor.encode(normalise(text), out_type=str, add_eos=True)
        return self._turned(pieces) if self.backwards else pieces

    def pieces_of(self, ids: Sequence[int]) -> list[str]:
        """Return the piece behind every id."""
        return [EOS_PIECE if index == EOS else self._processor.id_to_piece(int(index)) for index in ids]

    def ids_of(self, pieces: Sequence[str]) -> list[int]:
        """Return the id of every piece, UNK for what is none: what ``pieces`` and ``pieces_of`` were made from."""
        return [EOS if piece == EOS_PIECE else int(self._processor.piece_to_id(piece)) for piece in pieces]

    def decode(self, ids: Sequence[int]) -> str:
        """Join ids to text as people write it; PAD, BOS and EOS leave no trace."""
        ids = ids[::-1] if self.backwards else ids
        text: str = self._processor.decode([int(index) for index in ids if index not in (PAD, BOS, EOS)])
        return text

    def save(self, path: Path) -> None:
        """Write the model where ``load`` finds it."""
        write_whole(path, self.model)

    @classmethod
    def load(cls, path: Path, *, backwards: bool = False) -> "Tokenizer":
        """Read a model written by ``save``."""
        if not path.is_file():
            raise InputError(f"no tokenizer at {path}: expected a SentencePiece model; is the run folder complete?")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} has more than {MOST_BYTES:,} bytes, as no tokenizer has; copy the run again")
        return cls(path.read_bytes(), backwards=backwards)


@dataclass(frozen=True, kw_only=True)
class TokenizerRecipe:
    """How to train tokenizers, always on the training split alone.

    Args:
        algorithm: SentencePiece's model type: ``bpe``, ``unigram``, ``char`` or ``word``, what stands between blanks.
        vocabulary_size: number of pieces V, the four special ones included; ``char`` takes every character, and
            ``word`` this many at most, the most frequent, all others being UNK.
        joint: one model for both languages, or one for each.
        character_coverage: share of the characters that get pieces of their own; the rarest become UNK.
        sampling: see ``Tokenizer.encode``; used in training only.
        split_chinese: make no piece of more than one Chinese character, so that attention and links are of characters.
        symbols: texts that always are one piece, such as the tag of back-translations.
        backwards: targets are written from their last piece to their first.
    """

    algorithm: str
    vocabulary_size: int
    joint: bool = True
    character_coverage: float = 1.0
    sampling: float = 0.0
    split_chinese: bool = False
    symbols: Sequence[str] = ()
    backwards: bool = False

    def train(self, sentences: Iterable[str]) -> Tokenizer:
        """Train one model on sentences.

        Raises:
            InputError: SentencePiece cannot make a vocabulary of this size from these sentences, or an option is
                out of range.
        """
        self._check()
        buffer = io.BytesIO()
        marks: dict[str, Any] = {"pretokenization_delimiter": CUT} if self.split_chinese else {}
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=map(self._cut if self.split_chinese else normalise, sentences),
                model_writer=buffer,
                model_type=self.algorithm,
                vocab_size=EVERY_CHARACTER if self.algorithm == "char" else self.vocabulary_size,
                hard_vocab_limit=self.algorithm == "bpe",
                character_coverage=self.character_coverage,
                normalization_rule_name="identity",
                user_defined_symbols=list(self.symbols),
                **marks,
                max_sentence_length=1 << 16,
                num_threads=2,
                minloglevel=2,
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split("] ")[-1].split()) or "too small, or no text"
            raise InputError(
                f"tokenizer.vocabulary_size={self.vocabulary_size} does not fit this corpus ({reason}); "
                "set another tokenizer.vocabulary_size or use tokenizer=char"
            ) from error
        return Tokenizer(buffer.getvalue())

    @staticmethod
    def _cut(sentence: str) -> str:
        """Mark where no piece may go on; such pieces are not learnt, so text need not be marked when it is encoded."""
        marked: str = CHINESE.sub(f"{CUT}\\g<0>{CUT}", normalise(sentence).replace(CUT, ""))
        return marked

    def _check(self) -> None:
        """Raise an InputError for options that SentencePiece would refuse in words of its own."""
        if self.algorithm not in ("bpe", "unigram", "char", "word"):
            raise InputError(
                f"tokenizer.algorithm is {self.algorithm!r}, expected bpe, unigram, char or word; use tokenizer=bpe"
            )
        if not 0 < self.character_coverage <= 1:
            raise InputError(
                f"tokenizer.character_coverage={self.character_coverage} is no share; give a number up to 1, as 0.9995"
            )
        if self.sampling < 0 or (self.sampling and self.algorithm in ("char", "word")):
            raise InputError(
                f"tokenizer.sampling={self.sampling} does not go with tokenizer.algorithm={self.algorithm}: bpe and "
                "unigram take a number from 0, char and word have one segmentation alone; set tokenizer.sampling=0"
            )

    def train_pair(self, source: Iterable[str], target: Iterable[str]) -> tuple[Tokenizer, Tokenizer]:
        """Train for both languages; with ``joint`` by the same model."""
        if self.joint:
            both = self.train(sentence for side in (source, target) for sentence in side)
            return both, Tokenizer(both.model, backwards=self.backwards)
        return self.train(source), Tokenizer(self.train(target).model, backwards=self.backwards)
