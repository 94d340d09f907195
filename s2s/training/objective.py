"""What an update lowers, put together from what was asked for."""

from dataclasses import dataclass, replace

from torch import Tensor

from s2s.model.language_model import Carried, read_on
from s2s.model.product import products_by, training_products
from s2s.model.readout import Readout
from s2s.model.seq2seq import Seq2Seq
from s2s.text.batching import Batch, Sequences, sent
from s2s.training.data import TrainingData
from s2s.training.loss import coverage_loss, guided_alignment_loss
from s2s.training.minimum_risk import MinimumRisk
from s2s.training.settings import TrainingSettings

__all__ = ["Objective", "cross_entropy", "sequence_log_probs", "teacher_forced"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Cross-entropy, coverage and guided alignment by their weights, and a share of them given up for the risk.

    Args:
        settings: the weights.
        data: word links, where attention is guided, and what the cost of a translation is read from.
        risk: how to work the risk out; None for no risk.
    """

    settings: TrainingSettings
    data: TrainingData
    risk: MinimumRisk | None = None

    def __call__(
        self, model: Seq2Seq, batch: Batch, *, truth: float = 1.0, carried: Carried | None = None
    ) -> tuple[Tensor, Tensor, Carried | None]:
        """Work out what an update lowers, differentiable, and the references' negative log-likelihood.

        Args:
            model: in training.
            batch: sources and references.
            truth: probability of reading the true token.
            carried: what the batch before left, where running text is read.

        Returns:
            both in sum over target tokens; a sentence's risk counts as often as its reference has tokens; and what this
            batch leaves, of running text.
        """
        assert batch.target is not None
        if self.settings.truncated_length:
            with products_by(training_products(batch.source.ids.device)):
                features, carried = read_on(model, batch.target.ids, carried)
            smoothing = self.settings.label_smoothing
            return *cross_entropy(model.readout, features, batch.target, smoothing=smoothing), carried
        if self.risk is None:
            features, attention = teacher_forced(model, batch, truth=truth)
            return *self._likelihood(model.readout, features, attention, batch), None
        candidates = self.risk.candidates(model, batch, self.data.target, self.data.language)
        features, attention = teacher_forced(model, replace(batch, target=candidates.target))
        references = slice(None, None, candidates.mask.shape[1]), slice(batch.target.ids.shape[1])
        loss, nll = self._likelihood(model.readout, features[references], attention[references], batch)
        log_probs = sequence_log_probs(model.readout, features, candidates.target).view_as(candidates.costs)
        tokens = sent(batch.target.lengths, log_probs.device)
        risk = (self.risk.risk(log_probs, candidates) * tokens).sum()
        return (1 - self.risk.weight) * loss + self.risk.weight * risk, nll, None

    def _likelihood(self, readout: Readout, features: Tensor, attention: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The losses of references alone: features (B, T, R), attention (B, T, S)."""
        assert batch.target is not None
        settings = self.settings
        loss, nll = cross_entropy(readout, features, batch.target, smoothing=settings.label_smoothing)
        if settings.coverage_loss:
            loss = loss + settings.coverage_loss * coverage_loss(attention, batch.target.mask)
        if settings.guided_alignment:
            assert self.data.guide is not None
            guide = sent(self.data.guide.batch(batch.rows), attention.device)
            loss = loss + settings.guided_alignment * guided_alignment_loss(attention, guide)
        return loss, nll


def teacher_forced(model: Seq2Seq, batch: Batch, *, truth: float = 1.0) -> tuple[Tensor, Tensor]:
    """Let a model write the targets, products as in training: features (B, T, R), attention (B, T, S)."""
    with products_by(training_products(batch.source.ids.device)):
        written: tuple[Tensor, Tensor] = model(batch, truth=truth)
    return written


def cross_entropy(
    readout: Readout, features: Tensor, target: Sequences, *, smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The smoothed loss and the negative log-likelihood of targets, given features (B, T, R), in sum over tokens."""
    places = target.places
    of_tokens = features.flatten(0, 1).index_select(0, places)
    return readout.cross_entropy(of_tokens, target.ids.flatten()[places], smoothing=smoothing)


def sequence_log_probs(readout: Readout, features: Tensor, target: Sequences) -> Tensor:
    """The log-probability of each target: features (B, T, R) -> (B,), differentiable."""
    places = target.places
    with products_by(training_products(features.device)):
        log_probs = readout.log_probs(features.flatten(0, 1).index_select(0, places))
    of_tokens = log_probs.gather(1, target.ids.flatten()[places][:, None])[:, 0]
    return of_tokens.new_zeros(len(features)).index_add(0, places // target.ids.shape[1], of_tokens)
