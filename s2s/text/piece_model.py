"""Whether bytes are a SentencePiece model as this project writes them, before and after the library reads them.

A serialised model is a message of protocol buffers: fields, each with a number and a type (protobuf.dev, Encoding).
"""

from collections.abc import Iterator

from sentencepiece import SentencePieceProcessor

__all__ = ["MOST_BYTES", "check_bytes", "check_pieces", "maps_characters"]

MOST_BYTES = 1 << 25
# Fields of sentencepiece_model.proto: of a model, and of a normaliser's settings in it.
PIECE, TRAINER, NORMALISERS, CHARACTER_MAP = 1, 2, (3, 5), 2
VARINT, BYTES, SIZES = 0, 2, {1: 8, 5: 4}


def check_bytes(model: bytes) -> None:
    """Raise a ValueError where bytes are no whole model; a sample that is encoded as it is read is part of none."""
    for number, _ in _fields(model):
        if number not in (PIECE, TRAINER, *NORMALISERS):
            raise ValueError(f"it has a field {number}")


def maps_characters(model: bytes) -> bool:
    """Whether a model has a map of characters, which the library would follow to wherever in memory it leads."""
    specifications = [value for number, value in _fields(model) if number in NORMALISERS]
    return any(number == CHARACTER_MAP and value for one in specifications for number, value in _fields(one))


def check_pieces(processor: SentencePieceProcessor) -> None:
    """Raise a ValueError where a piece is no text of one line, so that one line of text stays one, or is a byte."""
    ids = range(processor.get_piece_size())
    pieces = [*processor.id_to_piece(list(ids)), processor.decode([processor.unk_id()])]
    if len("\n".join(pieces).splitlines()) != len(pieces) or not all(pieces):
        raise ValueError("a piece is empty or has a line break")
    if any(processor.is_byte(list(ids))):
        raise ValueError("a piece stands for a byte")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Every field of a message: its number, and its value where that has a length of its own."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        kind = tag & 7
        size = 0
        if kind in (VARINT, BYTES):
            size, place = _varint(message, place)
        elif kind not in SIZES:
            raise ValueError(f"no field at byte {place:,}")
        after = place + (0 if kind == VARINT else SIZES.get(kind, size))
        if after > end:
            raise ValueError(f"it ends within a field, at byte {end:,}")
        yield tag >> 3, message[place:after]
        place = after


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; return the place after it, too."""
    value = shift = 0
    for byte in message[place : place + 10]:
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise ValueError(f"no number ends at byte {place:,}")
