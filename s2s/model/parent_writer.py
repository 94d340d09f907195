"""A step of beam search that takes the products with a state once, however many hypotheses go on from it.

The rows of a beam come from fewer rows of the step before, their parents, and siblings differ by one token alone. What
the bottom layer reads is ``W_y y + W_f f + U h``, with y the token's embedding, f what is fed in and h the state: the
last two terms are taken of every parent, and the first is a row of a table of all tokens, made once.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from s2s.model.decoder import DecoderState, DecoderStep, LuongDecoder
from s2s.model.ensemble import OneModel, SearchState, WordList, Writer
from s2s.model.gates import Gates, update
from s2s.model.product import linear
from s2s.model.seq2seq import Seq2Seq
from s2s.text.batching import Batch, Sequences
from s2s.text.tokenizer import BOS

__all__ = ["ParentState", "ParentWriter", "writer_of"]

LARGEST_TABLE = 2**25  # numbers, 128 MB


def writer_of(model: Seq2Seq) -> Writer:
    """Who writes with a model alone: by parents where that serves, else by rows.

    It does for Luong's decoder on a CPU with an LSTM, a GRU or a plain RNN, as long as the table is not too large.
    """
    decoder, vocabulary = model.decoder, model.embedding.weight
    if type(decoder) is not LuongDecoder or decoder.recurrent.fused() is None or vocabulary.device.type != "cpu":
        return OneModel(model)
    too_large = len(vocabulary) * decoder.recurrent.gates * decoder.hidden_size > LARGEST_TABLE
    return OneModel(model) if too_large else ParentWriter(model)


@dataclass(frozen=True)
class _Bottom:
    """The decoder's bottom layer as a step by parents reads it.

    ``table`` (V, G) is ``W_y y + b`` of every token; ``of_feed`` (G, F) is W_f and ``of_hidden`` (G, H) is U, or this
    is both, (G, F + H), where nothing but their sum counts; ``bias`` (G,) goes with U.
    """

    gates: Gates
    table: Tensor
    of_feed: nn.Parameter | None
    of_hidden: nn.Parameter
    bias: Tensor

    @classmethod
    def of(cls, model: Seq2Seq) -> "_Bottom":
        """Lay the weights of a model out."""
        recurrent = model.decoder.recurrent
        gates, (weight_ih, weight_hh, bias_ih, bias_hh) = recurrent.fused(), recurrent.layer_weights(0, 0)
        assert gates is not None
        width = model.embedding.weight.shape[1]
        of_token, of_feed = weight_ih[:, :width].contiguous(), weight_ih[:, width:].contiguous()
        table = nn.functional.linear(model.embedding(torch.arange(len(model.embedding.weight))), of_token, bias_ih)
        if gates.sums_are_one:
            return cls(gates, table, None, _parameter(torch.cat([of_feed, weight_hh], dim=1)), bias_hh)
        return cls(gates, table, _parameter(of_feed), _parameter(weight_hh), bias_hh)

    def products(self, feed: Tensor, hidden: Tensor) -> tuple[Tensor | None, Tensor]:
        """``W_f f`` and ``U h + b'``, or nothing and their sum: (P, F), (P, H) -> (P, G) each."""
        if self.of_feed is None:
            return None, linear(torch.cat([feed, hidden], dim=1), self.of_hidden, self.bias)
        return linear(feed, self.of_feed), linear(hidden, self.of_hidden, self.bias)


@dataclass(frozen=True)
class ParentState(SearchState):
    """A search state whose rows are chosen and not yet copied: row n is row ``rows[n]``; None for all as they are."""

    bottom: _Bottom
    rows: Tensor | None = None

    def select(self, rows: Tensor) -> "ParentState":
        """Reorder or repeat rows within their sentences."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def keep(self, sentences: Tensor) -> "ParentState":
        """Keep these sentences with all their rows."""
        kept = SearchState(self.chosen(), self.memory, self.words).keep(sentences)
        return ParentState(kept.decoder, kept.memory, kept.words, self.bottom)

    def chosen(self) -> DecoderState:
        """The rows, copied."""
        return self.decoder if self.rows is None else self.decoder.select(self.rows)


class ParentWriter:
    """One model that writes by parents what ``OneModel`` writes by rows.

    Args:
        model: its weights may change between two searches, not within one.
    """

    def __init__(self, model: Seq2Seq) -> None:
        self._by_rows, self._laid_out = OneModel(model), dict[tuple[tuple[int, int], ...], _Bottom]()

    def start(self, source: Sequences, listed: WordList | None = None) -> ParentState:
        """See ``Writer``."""
        begun, model = self._by_rows.start(source, listed), self._by_rows.model
        read = (model.embedding.weight, *model.decoder.recurrent.layer_weights(0, 0))
        made_of = tuple((id(weight), 0 if weight.is_inference() else weight._version) for weight in read)
        bottom = self._laid_out.get(made_of)
        if bottom is None:
            bottom = _Bottom.of(model)
            self._laid_out = {made_of: bottom}
        return ParentState(begun.decoder, begun.memory, begun.words, bottom)

    def step(self, tokens: Tensor, state: ParentState) -> tuple[Tensor, Tensor, ParentState]:
        """See ``Writer``."""
        result = self._position(tokens, state)
        log_probs = self._by_rows.log_probs(result.output, state.words)
        return log_probs, result.attention, replace(state, decoder=result.state, rows=None)

    def force(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See ``Writer``; step by step, so that rounded products are those of a search."""
        assert batch.target is not None
        state, outputs, attention = self.start(batch.source), [], []
        for tokens in nn.functional.pad(batch.target.ids[:, :-1], (1, 0), value=BOS).unbind(dim=1):
            result = self._position(tokens, state)
            state = replace(state, decoder=result.state)
            outputs.append(result.output)
            attention.append(result.attention)
        return self._by_rows.log_probs(torch.stack(outputs, dim=1), None), torch.stack(attention, dim=1)

    def _position(self, tokens: Tensor, state: ParentState) -> DecoderStep:
        """Write one target position after tokens (N,)."""
        decoder, bottom, rows, before = self._by_rows.model.decoder, state.bottom, state.rows, state.decoder
        assert isinstance(decoder, LuongDecoder)
        feed, hidden, from_token = before.feed, before.rnn[0][:, 0], bottom.table.index_select(0, tokens)
        if rows is None:
            from_feed, from_hidden = bottom.products(feed, hidden)
        else:
            parents, places = torch.unique(rows, return_inverse=True)
            from_feed, from_hidden = bottom.products(feed.index_select(0, parents), hidden.index_select(0, parents))
            from_hidden = from_hidden.index_select(0, places)
            from_feed = None if from_feed is None else from_feed.index_select(0, places)
            before = before.select(rows)
        from_input = from_token if from_feed is None else from_token + from_feed
        first = update(bottom.gates, from_input, from_hidden, tuple(part[:, 0] for part in before.rnn))
        return decoder.look(*decoder.recurrent.step_above(first, before.rnn), before, state.memory)


def _parameter(weight: Tensor) -> nn.Parameter:
    """A weight that products may lay out."""
    return nn.Parameter(weight.detach(), requires_grad=False)
