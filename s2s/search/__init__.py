"""Search: from a step function to hypotheses, by beam (greedy is a beam of one) or by sampling.

Shapes, by letter: B sentences, K rows per sentence, N = B·K rows with a sentence's rows adjacent, S source positions,
T target tokens, V vocabulary; R is the rows per sentence where those are 1 at the first step and K later.
"""

from s2s.search.beam import BeamSearch
from s2s.search.hypothesis import Hypothesis, Request, State, Step
from s2s.search.sampling import Sampling

__all__ = ["BeamSearch", "Hypothesis", "Request", "Sampling", "State", "Step"]
