"""python -m s2s.doctor: what a parallel corpus holds and what speaks against its pairs, before anything learns it."""

import json

from omegaconf import DictConfig, OmegaConf

from s2s.building import build
from s2s.config import command, say
from s2s.errors import InputError
from s2s.report.diagnosis import diagnosis_tables
from s2s.text.corpus import Corpus
from s2s.text.examination import examine


def doctor(config: DictConfig) -> None:
    """Print what was found; findings are no error."""
    if config.format not in ("text", "json"):
        raise InputError(f"format={config.format} is unknown; expected text or json")
    if missing := sorted(OmegaConf.missing_keys(config)):
        raise InputError(f"{missing[0]} is not set; give {missing[0]}=… on the command line")
    corpus = build(config.data, "data")
    if not isinstance(corpus, Corpus):
        raise InputError("data=several holds several corpora; look at one after another, with data=files")
    record = examine(corpus, clean=config.clean, say=say)
    if config.format == "json":
        print(json.dumps(record, ensure_ascii=False, indent=1))
    else:
        print(diagnosis_tables(record), end="")


if __name__ == "__main__":
    command("doctor", doctor)
