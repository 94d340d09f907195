"""Lines too long to be translated at once: cut into sentences, and put together again."""

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise

import regex

__all__ = ["cut", "rejoined"]

BLANK = "▁"
# After digits or a single letter a full stop is that of a date or an initial.
SENTENCE = regex.compile(
    rf"(?:(?<=[^\p{{N}}{BLANK}]{{2}})\.|[!?…‽؟۔।॥])['\"’“”»)\]]*(?={BLANK}\P{{Ll}})|[。！？｡][’”」』）]*"
)
# Where a longer sentence is cut, the best first: after a mark, between words, between characters.
PLACES = [
    regex.compile(rf"\p{{P}}(?={BLANK})|[，、；：]"),
    regex.compile(rf".(?={BLANK})", regex.DOTALL),
    regex.compile(r".(?<!\u200d)(?![\p{M}\u200c\u200d])", regex.DOTALL),
]
WRITTEN_CLOSE = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\u3000-\u303f\uff00-\uffef]"
)


def cut(pieces: Sequence[str], longest: int) -> list[str]:
    """Cut a line into its sentences, and those into texts of at most so many pieces.

    A part of a sentence is as long as it can be, but ends in its second half where a phrase with a mark behind it ends
    there, or else a word.

    Args:
        pieces: of the line, without EOS; ``▁`` stands for a blank.
        longest: the most pieces of a text.
    """
    line = "".join(pieces)
    ends = [0, *accumulate(map(len, pieces))]
    numbers = {end: number for number, end in enumerate(ends)}
    sentences = [numbers[match.end()] for match in SENTENCE.finditer(line) if match.end() in numbers]
    cuts = [0]
    for end in [*sentences, len(pieces)]:
        while end - cuts[-1] > longest:
            last = cuts[-1] + longest
            cuts.append(_place(line, numbers, ends[last - longest // 2], ends[last]) or last)
        cuts.append(end)
    texts = (line[ends[start] : ends[end]].replace(BLANK, " ").strip() for start, end in pairwise(cuts))
    return [text for text in texts if text]


def _place(line: str, numbers: dict[int, int], first: int, last: int) -> int | None:
    """The best place to cut at, from the first to the last, as a number of pieces; None where there is no good one."""
    for pattern in PLACES:
        found = [match.end() for match in pattern.finditer(line, first - 1, last + 1)]  # which sees what follows
        if places := [place for place in found if first <= place <= last and place in numbers]:
            return numbers[places[-1]]
    return None


def rejoined(texts: Sequence[str]) -> str:
    """Put texts together, with a blank between two unless either has none there in its script, as Chinese and Thai."""
    kept = [text for text in texts if text]
    close = [WRITTEN_CLOSE.match(left[-1]) or WRITTEN_CLOSE.match(right[0]) for left, right in pairwise(kept)]
    return "".join(chain.from_iterable(zip(kept, [*("" if one else " " for one in close), ""], strict=False)))
