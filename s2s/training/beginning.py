"""How a run begins: anew, from what another run has learnt, or where it was saved."""

import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from s2s.building import build
from s2s.config import choices_in_words, explicit_overrides
from s2s.errors import InputError
from s2s.run import Run
from s2s.text.tokenizer import Tokenizer

__all__ = ["KEPT", "begin_from", "new_run", "resumed_run"]

KEPT = ["init", "seed", "device", "data", "tokenizer", "model", "optimizer", "scheduler", "scheduled_sampling"]
KEPT += ["minimum_risk", "search", "training"]
FREE_OF_TOKENIZER = "tokenizer.sampling"


def new_run(config: DictConfig) -> Run:
    """Make the folder of a new run, named after what was chosen for it.

    Raises:
        InputError: an option without a value, one that ``init`` decides, or a name that is taken.
    """
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise InputError(f"{missing[0]} is not set; give {missing[0]}=… on the command line")
    OmegaConf.resolve(config)
    if config.init:
        _take_over(config, Run(config.init).config)
        words = [Path(config.init).resolve().name, "tuned"]
    else:
        choices = choices_in_words("model")
        sides = [config.data.target] if choices[0] == "lm" else [config.data.source, config.data.target]
        languages = ["_".join(dict.fromkeys([side] if isinstance(side, str) else side)) for side in sides]
        words = [config.data.label, *languages, *choices]
    name = re.sub(r"[^\w.-]", "_", "-".join(words))
    tokenizers = _tokenizers_of(config) if config.tokenizers_of else None
    run = Run.create(
        config.runs_dir, config.name or name, OmegaConf.masked_copy(config, KEPT), exact=config.name is not None
    )
    if tokenizers:
        source, target = tokenizers
        run.save_tokenizers(target if run.is_language_model else source, target)
    return run


def _tokenizers_of(config: DictConfig) -> tuple[Tokenizer, Tokenizer]:
    """Read another run's tokenizers, and take over how they were made.

    Raises:
        InputError: something was typed that they leave no say in.
    """
    typed = [
        key for key in explicit_overrides() if re.split("[/@.]", key)[0] == "tokenizer" and key != FREE_OF_TOKENIZER
    ]
    if config.init or typed:
        raise InputError(
            f"{typed[0] if typed else 'init'}= cannot be given beside tokenizers_of={config.tokenizers_of}, which "
            "decides the tokenizers; leave one of them out"
        )
    other = Run(config.tokenizers_of)
    config.tokenizer = OmegaConf.merge(other.config.tokenizer, {"sampling": config.tokenizer.sampling})
    return other.tokenizers()


def _take_over(config: DictConfig, other: DictConfig) -> None:
    """Put the other run's model, tokenizer, data and search in place, with what was typed of them on top."""
    typed = explicit_overrides()
    for key in typed:
        group = re.split("[/@.]", key)[0]
        whole = group in ("model", "tokenizer") and not key.startswith(f"{group}.")
        if whole or group in ("sizes", "experiment"):
            raise InputError(
                f"{key} cannot be chosen in a run that begins from another: model and tokenizers are those of "
                f"init={config.init}; only model.* that leaves its sizes as they are, such as model.dropout, can change"
            )
        if group == "tokenizer" and key != FREE_OF_TOKENIZER:
            raise InputError(f"{key} cannot change in a run that begins from another, only {FREE_OF_TOKENIZER} can")
    for group in ("model", "tokenizer", "data", "search"):
        if group not in typed and group in other:
            config[group] = other[group]
            for key, value in typed.items():
                if key.startswith(f"{group}."):
                    OmegaConf.update(config, key, value, force_add=True)  # an older run may not have it yet


def begin_from(other: Run, run: Run) -> None:
    """Give a new run another's tokenizers and best weights, which are then its own.

    Raises:
        InputError: the other has no weights, or the new run's model has others.
    """
    run.save_tokenizers(*other.tokenizers())
    model = other.load_model()
    here, there = (
        {name: tuple(weight.shape) for name, weight in one.state_dict().items()} for one in (run.build_model(), model)
    )
    for name in [*here, *there]:
        if here.get(name) != there.get(name):
            raise InputError(
                f"{name} would be {here.get(name)} here and is {there.get(name)} in init={other.folder}; leave out "
                "the model.* options that change its sizes"
            )
    run.save_weights(model)


def resumed_run(folder: str) -> Run:
    """Open a run to go on with it; only training.* and device may be changed, such as a later end."""
    run = Run(folder)
    if run.config.get("averaged"):
        raise InputError(f"{folder} is an average, with no training to go on with; begin a new run with init={folder}")
    for key, value in explicit_overrides().items():
        if key.startswith("training.") or key == "device":
            OmegaConf.update(run.config, key, value)
        elif key not in ("resume", "runs_dir"):
            raise InputError(f"{key} cannot change in a resumed run, only training.* and device can; train a new run")
    OmegaConf.resolve(run.config)
    build(run.config.training, "training")  # a mistake shows before it is kept
    run.save_config()
    return run
