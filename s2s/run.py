"""A run: the folder of a trained model, self-contained; reading one runs no code from it."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from s2s.building import build
from s2s.errors import InputError
from s2s.model.language_model import build_language_model
from s2s.model.seq2seq import Seq2Seq
from s2s.run_files import check_folder, read_object, read_records
from s2s.run_format import read_config, with_format
from s2s.storage import write_whole, writing
from s2s.text.shortlist import Shortlist
from s2s.text.tokenizer import Tokenizer
from s2s.weights import check_memory, check_weights, read_weights, write_weights

__all__ = ["GRAPHS", "Run", "common_tokenizers", "pick_device"]

GRAPHS = ("encoder.onnx", "step.onnx")
LANGUAGE_MODEL = f"{build_language_model.__module__}.{build_language_model.__name__}"


class Run:
    """The folder of one training run.

    ``config.yaml`` resolved configuration · ``tokenizer/`` · ``model.safetensors`` best weights · ``metrics.jsonl`` ·
    ``checkpoints/<updates>.safetensors`` weights of the newest validations, where asked for ·
    ``attention.jsonl`` of one validation pair over training, where asked for · ``training/`` the two newest states to
    go on from · ``result.json`` test scores, written when the run has finished. Each is there whole or not at all.
    Where it was exported so, ``encoder.onnx`` and ``step.onnx`` take the place of weights.

    Args:
        folder: an existing run.

    Raises:
        InputError: the folder holds no run.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.weights = self.folder / "model.safetensors"
        self.checkpoints = self.folder / "checkpoints"
        self.metrics = self.folder / "metrics.jsonl"
        self.attention = self.folder / "attention.jsonl"
        self.training_state = self.folder / "training"
        self.result = self.folder / "result.json"
        check_folder(self.folder)
        path = self.folder / "config.yaml"
        if not path.is_file():
            raise InputError(f"{self.folder} is no run: it has no config.yaml; train one with `python -m s2s.train`")
        self.config = read_config(path)

    @classmethod
    def create(cls, runs_dir: str | Path, name: str, config: DictConfig, *, exact: bool) -> "Run":
        """Make a new run folder.

        Args:
            runs_dir: where runs stand.
            name: of the folder.
            config: what the run is made of, resolved.
            exact: refuse an existing folder rather than number the new one.
        """
        folder, number = Path(runs_dir) / name, 1
        while folder.exists():
            if exact:
                raise InputError(f"{folder} exists; give another name=, or resume={folder}, or remove it")
            number += 1
            folder = Path(runs_dir) / f"{name}-{number}"
        begun = folder.with_name(f"{folder.name}.partial")
        try:
            shutil.rmtree(begun, ignore_errors=True)  # of a run that was killed here
            begun.mkdir(parents=True)
            OmegaConf.save(with_format(config), begun / "config.yaml")
            os.replace(begun, folder)
        except OSError as error:
            raise InputError(f"{folder} cannot be made ({error.strerror}); give another runs_dir=") from error
        return cls(folder)

    @classmethod
    def find(cls, folder: str | None, runs_dir: str | Path) -> "Run":
        """Open the run of this folder; without one the run that finished last."""
        if folder:
            return cls(folder)
        finished = sorted(Path(runs_dir).glob("*/result.json"), key=lambda path: path.stat().st_mtime)
        if not finished:
            raise InputError(
                f"no finished run in {runs_dir}; train one with `python -m s2s.train` or name one with run=folder"
            )
        return cls(finished[-1].parent)

    @classmethod
    def find_all(cls, folders: str | Sequence[str] | None, runs_dir: str | Path) -> "list[Run]":
        """Open the run of this folder or of each of these; without any the run that finished last."""
        named = [folders] if isinstance(folders, str) else folders
        return [cls(folder) for folder in named] if named else [cls.find(None, runs_dir)]

    @property
    def is_language_model(self) -> bool:
        """Whether it reads no source; else it translates."""
        return bool(self.config.model.get("_target_") == LANGUAGE_MODEL)

    def save_config(self) -> None:
        """Keep the configuration as it is now."""
        write_whole(self.folder / "config.yaml", OmegaConf.to_yaml(self.config).encode("utf-8"))

    def save_tokenizers(self, source: Tokenizer, target: Tokenizer) -> None:
        """Keep the tokenizers of both languages."""
        source.save(self.folder / "tokenizer" / "source.model")
        target.save(self.folder / "tokenizer" / "target.model")

    def has_tokenizers(self) -> bool:
        """Whether both languages have theirs."""
        return all((self.folder / "tokenizer" / f"{name}.model").is_file() for name in ("source", "target"))

    def has_graphs(self) -> bool:
        """Whether it was exported as ONNX graphs."""
        return all((self.folder / name).is_file() for name in GRAPHS)

    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """Read the tokenizers of both languages."""
        folder = self.folder / "tokenizer"
        backwards = bool(OmegaConf.select(self.config, "tokenizer.backwards", default=False))
        return Tokenizer.load(folder / "source.model"), Tokenizer.load(folder / "target.model", backwards=backwards)

    def build_model(self, weights: Path | None = None) -> Seq2Seq:
        """Make the run's model with fresh weights.

        Args:
            weights: a file that they are to be loaded from, which is looked at before they are made.

        Raises:
            InputError: the model would be larger than the machine's memory, or another than that of the file.
        """
        source, target = self.tokenizers()
        sizes = {"source_vocabulary": len(source), "target_vocabulary": len(target)}
        with torch.device("meta"):
            outline = build(self.config.model, "model", **sizes)
        if not isinstance(outline, Seq2Seq):
            raise InputError(f"{self.folder}/config.yaml: model is a {type(outline).__name__}, expected build_seq2seq")
        if outline.encoder.embedding is outline.embedding and source.model != target.model:
            raise InputError(
                "model.share_embeddings=true needs one tokenizer for both languages; set tokenizer.joint=true"
            )
        if weights is not None:
            check_weights(weights, outline)
        check_memory(outline)
        model: Seq2Seq = build(self.config.model, "model", **sizes)
        return model

    def save_weights(self, model: Seq2Seq, path: Path | None = None, *, precision: str = "float32") -> None:
        """Keep weights, the best ones unless another file is given, whole or not at all."""
        write_weights(path or self.weights, model, precision=precision)

    def load_weights(self, model: Seq2Seq, path: Path | None = None) -> None:
        """Give a model of this run the best weights, or those of another file."""
        path = path or self.weights
        read_weights(self._whole(path), model)

    def _whole(self, path: Path) -> Path:
        """A file of weights that is there."""
        if self.has_graphs():
            raise InputError(f"{self.folder} has ONNX graphs but no weights; give the run that they were made of")
        if not path.is_file():
            raise InputError(f"{self.folder} has no weights yet; let it train to its first validation")
        return path

    def load_model(self, device: torch.device | None = None) -> Seq2Seq:
        """Read the model with its best weights, ready to translate."""
        model = self.build_model(self._whole(self.weights))
        self.load_weights(model)
        return model.to(device or torch.device("cpu")).eval()

    def keep_checkpoint(self, model: Seq2Seq, updates: int, *, most: int) -> None:
        """Keep the weights after this number of updates, and of those kept before as many of the newest as may stay."""
        self.save_weights(model, self.checkpoints / f"{updates}.safetensors")
        kept = self.kept_checkpoints()
        for old in sorted(kept)[:-most]:
            kept[old].unlink()

    def kept_checkpoints(self) -> dict[int, Path]:
        """The weights that were kept: updates -> file."""
        return {int(path.stem): path for path in self.checkpoints.glob("*.safetensors") if path.stem.isdecimal()}

    def save_shortlist(self, shortlist: Shortlist) -> None:
        """Keep which words a source piece may bring."""
        shortlist.save(self.folder / "shortlist.npz")

    def shortlist(self) -> Shortlist:
        """Read which words a source piece may bring; raise an InputError where training was not finished."""
        path = self.folder / "shortlist.npz"
        if not path.is_file():
            raise InputError(f"{self.folder} has no shortlist.npz; it is made when training ends; leave shortlist= out")
        source, target = self.tokenizers()
        return Shortlist.load(path, source_vocabulary=len(source), target_vocabulary=len(target))

    def log(self, record: dict[str, Any], path: Path | None = None) -> None:
        """Add one line to the metrics, or to another file of records."""
        path = path or self.metrics
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(_line(record))

    def records(self, path: Path | None = None) -> Iterator[dict[str, Any]]:
        """Read the metrics back, or another file of records."""
        return read_records(path or self.metrics)

    def forget_after(self, updates: int, validated: int) -> None:
        """Take out what is younger than this number of updates, and of validations what is younger than the last."""
        for made, path in self.kept_checkpoints().items():
            if made > validated:
                path.unlink()
        for path in (self.metrics, self.attention):
            kept = [
                record
                for record in self.records(path)
                if record["updates"] <= (updates if record.get("split") == "train" else validated)
            ]
            if path.is_file():
                write_whole(path, "".join(map(_line, kept)).encode("utf-8"))

    def read_result(self) -> dict[str, Any]:
        """Read the test scores back."""
        return read_object(self.result)

    def finish(self, result: dict[str, Any]) -> None:
        """Write the test scores and mark the run as finished."""
        write_whole(self.result, (json.dumps(result, ensure_ascii=False, indent=1) + "\n").encode("utf-8"))


def _line(record: dict[str, Any]) -> str:
    """A record as one line of JSON."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def common_tokenizers(runs: Sequence[Run]) -> tuple[Tokenizer, Tokenizer]:
    """Read the tokenizers of runs that are to translate together; raise an InputError where they are not the same."""
    if not runs:
        raise InputError("no run is named; give one, or several that are to translate together")
    first, *others = (run.tokenizers() for run in runs)
    for run, tokenizers in zip(runs[1:], others, strict=True):
        for language, one, other in zip(("source", "target"), first, tokenizers, strict=True):
            if (one.model, one.backwards) != (other.model, other.backwards):
                raise InputError(
                    f"{runs[0].folder} and {run.folder} cannot translate together: their {language} tokenizers differ; "
                    "train both on the same data with the same tokenizer=, or let the one rescore= the other"
                )
    return first


def pick_device(name: str | None) -> torch.device:
    """The device of this name; without one a GPU where there is one, else the CPU."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={name} cannot be used here ({str(error).splitlines()[0]}); try device=cpu") from error
    return device
