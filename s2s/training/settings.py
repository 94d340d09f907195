"""How long and how to train."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from s2s.errors import InputError

__all__ = ["TrainingSettings"]

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
TRACKERS = ("tensorboard", "wandb", "mlflow")
LIMITS = ("epochs", "steps", "minutes", "validate_every", "patience")
SIZES = ("batch_tokens", "batch_sentences", "accumulation", "longest", "truncated_length")
POSITIVE = (*LIMITS, *SIZES, "clip_norm", "keep_attention", "save_minutes")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How long and how to train; the comments in conf/train.yaml say what each is for.

    Raises:
        InputError: a value out of range, or no limit at all.
    """

    epochs: int | None
    steps: int | None
    minutes: float | None
    batch_tokens: int
    batch_sentences: int | None
    accumulation: int
    longest: int
    label_smoothing: float
    coverage_loss: float
    guided_alignment: float
    clip_norm: float | None
    moving_average: float | None
    validate_every: int | None
    criterion: str
    patience: int | None
    precision: str
    trackers: Sequence[str]
    keep_attention: int | None
    keep_checkpoints: int
    save_minutes: float | None
    truncated_length: int | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        if self.epochs is None and self.steps is None and self.minutes is None:
            raise InputError("training has no end: set training.epochs, training.steps or training.minutes")
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"training.{name}={value} must be above 0; null switches it off where it may be off")
        if self.keep_checkpoints < 0:
            raise InputError(
                f"training.keep_checkpoints={self.keep_checkpoints} is no number; give 0 for none, or more"
            )
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"training.label_smoothing={self.label_smoothing} must be from 0 to below 1")
        for name in ("coverage_loss", "guided_alignment"):
            if not 0 <= (weight := getattr(self, name)) < math.inf:
                raise InputError(f"training.{name}={weight} is no weight; give 0 for none, or more")
        if self.moving_average is not None and not 0 < self.moving_average < 1:
            raise InputError(
                f"training.moving_average={self.moving_average} is no decay; give a number such as 0.999, or null"
            )
        if self.criterion not in ("bleu", "chrf", "exact", "loss"):
            raise InputError(f"training.criterion={self.criterion} is unknown; expected bleu, chrf, exact or loss")
        if unknown := [name for name in self.trackers if name not in TRACKERS]:
            raise InputError(f"training.trackers={unknown[0]} is unknown; expected a list of {', '.join(TRACKERS)}")
        if self.precision not in PRECISIONS:
            raise InputError(f"training.precision={self.precision} is unknown; expected {', '.join(PRECISIONS)}")
