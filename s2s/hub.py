"""Runs on a model hub: fetched into a folder of the cache, and sent there."""

from pathlib import Path

from s2s.errors import InputError
from s2s.text.loading import HUB_NAME

__all__ = ["check_name", "fetched", "upload"]

MODELS = ("model.safetensors", "step.onnx")  # of which a run has one
FILES = ["config.yaml", "tokenizer/*.model", *MODELS, "encoder.onnx", "result.json", "shortlist.npz", "README.md"]


def check_name(name: str, option: str) -> None:
    """Raise an InputError for what is no name of a hub."""
    if not HUB_NAME.fullmatch(str(name)):
        raise InputError(f"{option}={name} is no name of the hub, expected owner/name; correct it")


def fetched(name: str, *, revision: str | None = None) -> Path:
    """The folder of a run on the hub, fetched, or as it was fetched before where the hub cannot be reached.

    Only files that a run has are fetched, and reading them runs no code.

    Raises:
        InputError: no such run, or it cannot be fetched.
    """
    import huggingface_hub
    from huggingface_hub.constants import HF_HOME
    from huggingface_hub.errors import HfHubHTTPError

    check_name(name, "run")
    # A folder of its own, as the library's cache is made of links, which a run may not hold.
    folder = Path(HF_HOME) / "s2s" / name / (revision or "main")
    try:
        huggingface_hub.snapshot_download(name, revision=revision, local_dir=folder, allow_patterns=FILES)
    except (OSError, ValueError, HfHubHTTPError) as error:
        if any((folder / model).is_file() for model in MODELS):
            return folder
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"{name} cannot be fetched from the hub ({reason}); give a folder, or correct the name"
        ) from error
    return folder


def upload(folder: Path, name: str, *, private: bool) -> None:
    """Send an exported folder to the hub, into a repository that is made where there is none.

    Raises:
        InputError: the hub refuses, as where nobody is logged in.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    try:
        huggingface_hub.create_repo(name, private=private, exist_ok=True)
        huggingface_hub.upload_folder(repo_id=name, folder_path=folder)
    except (OSError, ValueError, HfHubHTTPError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"hub={name} does not take it ({reason}); log in with `hf auth login`, or check the name"
        ) from error
