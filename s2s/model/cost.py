"""What a model costs: its weights, and the multiply-adds behind one target token."""

import copy
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from s2s.model.seq2seq import Seq2Seq
from s2s.text.batching import Batch, collate
from s2s.text.tokenizer import EOS

__all__ = ["count_parameters", "multiply_adds"]

SENTENCE_TOKENS = 20


def count_parameters(model: Seq2Seq) -> int:
    """Count distinct weights; one that is shared, such as a tied readout's, counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def multiply_adds(model: Seq2Seq, *, source_tokens: int = SENTENCE_TOKENS, target_tokens: int = SENTENCE_TOKENS) -> int:
    """Count the multiply-adds per target token of a forward pass under teacher forcing over one sentence pair.

    The encoder's are included, shared out over the target tokens, and so is the readout over the whole vocabulary. Only
    matrix products count: sums, gates, softmax and the look-up of embeddings are small beside them. The numbers come
    from the operations that run, on the CPU in float64, where no fused kernel hides its products.

    Args:
        model: any; it is left as it is.
        source_tokens, target_tokens: lengths of the pair, end marks included.
    """
    double = copy.deepcopy(model).to("cpu", torch.float64).eval()
    source, target = collate([[EOS] * source_tokens]), collate([[EOS] * target_tokens])
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=VECTOR_PRODUCTS) as counter:
        features, _ = double(Batch(source, target, (0,)))
        double.readout.log_probs(features)
    operations: int = counter.get_total_flops()
    return round(operations / 2 / target_tokens)


def _matrix_by_vector(matrix: tuple[int, ...], vector: tuple[int, ...], **_: Any) -> int:
    """Operations of (M, N) times (N,), a multiplication and an addition for each weight."""
    return 2 * matrix[0] * matrix[1]


# Attention's v · tanh(…) is one; torch's own counter leaves it out.
VECTOR_PRODUCTS = {torch.ops.aten.mv: _matrix_by_vector}
