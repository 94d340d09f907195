"""Which options of training go together, and with which models."""

from s2s.errors import InputError
from s2s.model.seq2seq import Seq2Seq
from s2s.training.data import TrainingData
from s2s.training.objective import Objective
from s2s.training.schedule import Schedule
from s2s.training.scheduled_sampling import ScheduledSampling, TeacherForcing
from s2s.training.settings import TrainingSettings

__all__ = ["check_compatible"]


def check_compatible(
    settings: TrainingSettings,
    model: Seq2Seq,
    data: TrainingData,
    objective: Objective,
    schedule: Schedule,
    scheduled_sampling: ScheduledSampling,
) -> None:
    """Raise an InputError for options that make no sense together.

    A loss on the attention of a model without, scheduled sampling where candidates are scored as they are, running text
    for a translator, translations of a language model, a pair that is not there, or a rate that falls towards an end
    nobody knows.
    """
    for name in ("coverage_loss", "guided_alignment", "keep_attention"):
        if (weight := getattr(settings, name)) and not model.decoder.attention.context_size:
            raise InputError(
                f"training.{name}={weight} needs attention, which this model has none of; leave it out or choose "
                "another model/attention"
            )
    samples = not isinstance(scheduled_sampling, TeacherForcing)
    if settings.truncated_length and (model.reads_source or samples):
        raise InputError(
            f"training.truncated_length={settings.truncated_length} reads running text as it is, with model=lm; leave "
            "it out, or scheduled_sampling="
        )
    if not model.reads_source and (settings.criterion != "loss" or objective.risk):
        raise InputError(
            "a language model translates nothing that could be scored; leave out minimum_risk= and "
            f"training.criterion={settings.criterion}"
        )
    if objective.risk and samples:
        raise InputError("minimum_risk= scores translations as they are; leave scheduled_sampling= out")
    if data.stream and schedule.needs_progress and settings.steps is None and settings.minutes is None:
        raise InputError(
            f"scheduler={type(schedule).__name__.lower()} falls with the share of training done, and nobody knows how "
            "long an epoch of a stream is; set training.steps= or training.minutes=, or scheduler=constant"
        )
    if (settings.keep_attention or 0) > len(data.valid_sources):
        raise InputError(
            f"training.keep_attention={settings.keep_attention}, but there are {len(data.valid_sources)} pairs for "
            "validation; give the number of one of them"
        )
