"""python -m s2s.export: a run as a small folder to give away, with a card that says what it is."""

import os
import shutil
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from s2s.config import command, say
from s2s.errors import InputError
from s2s.hub import check_name, upload
from s2s.model_card import model_card
from s2s.onnx_writer import OnnxWriter
from s2s.run import Run
from s2s.storage import write_whole, writing

HERE = {"path", "train", "valid", "test", "extra"}  # of the data: where it lies on this machine
CARRIED = {"safetensors": ("result.json", "shortlist.npz"), "onnx": ("result.json",)}
PRECISION = {"safetensors": "float16", "onnx": "float32"}


def export(config: DictConfig) -> None:
    """Pack a run, and send it to the hub where that is asked for."""
    if config.format not in PRECISION:
        raise InputError(f"format={config.format} is unknown; expected {' or '.join(PRECISION)}")
    precision = config.precision or PRECISION[config.format]
    if config.format == "onnx" and precision != PRECISION["onnx"]:
        raise InputError(f"precision={precision}: ONNX graphs are in float32; leave precision= out")
    run = Run.find(config.run, config.runs_dir)
    say(f"run: {run.folder}")
    if not run.result.is_file():
        raise InputError(f"{run.folder} has not finished, so nothing says what it is worth; let it train to its end")
    if config.hub:
        check_name(config.hub, "hub")
    folder = Path(str(config.output)) if config.output else run.folder.with_name(f"{run.folder.resolve().name}-export")
    if folder.exists():
        raise InputError(f"{folder} exists; give another output=, or remove it")
    pack(run, folder, name=config.hub or folder.name, form=config.format, precision=precision)
    print(f"exported   {folder} ({sum(file.stat().st_size for file in folder.rglob('*')) / 1e6:.1f} MB)")
    if config.hub:
        upload(folder, config.hub, private=config.private)
        print(f"on the hub {config.hub}")


def pack(run: Run, folder: Path, *, name: str, form: str, precision: str) -> None:
    """Write the folder, whole or not at all."""
    begun = folder.with_name(f".{folder.name}.partial")
    try:
        with writing(folder):
            begun.mkdir(parents=True)
        given = OmegaConf.to_container(run.config)
        assert isinstance(given, dict)
        for key in HERE & given["data"].keys():
            of_each = given["data"][key]
            given["data"][key] = [""] * len(of_each) if isinstance(of_each, list) else None
        write_whole(begun / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(given)).encode("utf-8"))
        packed = Run(begun)
        packed.save_tokenizers(*run.tokenizers())
        graphs = None
        # What cannot be read is not given away.
        if form == "onnx":
            from s2s.onnx_graphs import write_graphs  # as torch.export takes a while to import

            say(f"largest difference from torch: {write_graphs(run.load_model(), begun):.1e}")
            graphs = OnnxWriter(begun).signature
        else:
            packed.save_weights(run.load_model(), precision=precision)
            packed.load_model()
        for file in CARRIED[form]:
            if (run.folder / file).is_file():
                shutil.copy(run.folder / file, begun)
        write_whole(begun / "README.md", model_card(run, name, precision, graphs).encode("utf-8"))
        os.replace(begun, folder)
    finally:
        shutil.rmtree(begun, ignore_errors=True)


if __name__ == "__main__":
    command("export", export)
