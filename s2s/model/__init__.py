"""The model: encoder, attention, bridge, decoder, readout.

Shapes, by letter, in every signature and docstring:

==== ======================================== ==== ==================================
B    sentences                                E    embedding
K    rows per sentence (beam)                 H    decoder state
N    rows, B·K, a sentence's rows adjacent    D    memory: the encoder states
S    source length                            A    key
T    target length                            O    output of a decoder step
Q    queries per sentence                     R    features before the vocabulary
V    vocabulary                               L    layers
==== ======================================== ==== ==================================

Batch first in every state; padding on the right; masks ``bool``, true on real tokens; EOS ends every source and
target, so no row is empty; PAD, UNK, BOS, EOS = 0, 1, 2, 3; log-probabilities float32 or wider even under autocast.
"""
