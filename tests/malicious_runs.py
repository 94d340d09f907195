"""Run folders that a stranger made: what each does to a good one, and the line that must come of it.

Every case is a name, what it does to the folder, the pattern of the line, and the command that reads what it spoilt.
"""

import io
import json
import os
import pickle
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file

from s2s.run_format import FORMAT
from s2s.storage import checksum

SECRET = "S2S_TEST_SECRET"
HUGE = 10**9
SPARSE = 1 << 40  # bytes of a file that takes none on the disk
WEIGHTS = r"does not hold this run's weights .*; copy it again"
NO_NAME = r"_target_: .* may not be built; expected one of those of "
NO_OPTION = r"unexpected keyword argument .*; see the files in conf/"
NO_VALUE = r"is no value for it; expected "
NO_YAML = r"config\.yaml cannot be read .*copy the run folder again"
NOT_OF_A_RUN = r"config\.yaml, line \d+ has .*, as no run's configuration has"
NO_PIECES = r"not a SentencePiece model .*: the file is damaged"
NO_SHORTLIST = r"shortlist\.npz is no shortlist of this run .*; copy it again"
LEADS_OUT = r"is a link that leads out of the run; put the file in its place"
NO_FILE = r"is no regular file; take it out of the run"


@dataclass(frozen=True)
class Case:
    """A way to spoil a run.

    Args:
        name: of the case.
        spoil: does it, given the folder and a file that must never be made.
        line: pattern of the message.
        reader: which command reads what is spoilt.
    """

    name: str
    spoil: Callable[[Path, Path], None]
    line: str
    reader: str = "translate"


class Bomb:
    """What makes the canary where a pickle of it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.canary}'",)


def every_case() -> list[Case]:
    """All of them, in the order of the files of a run."""
    kinds = (
        pickles,
        names,
        options,
        references,
        sizes,
        documents,
        formats,
        weights,
        pieces,
        shortlists,
        links,
        records,
    )
    return [case for kind in kinds for case in kind()]


def put(file: str, content: bytes) -> Callable[[Path, Path], None]:
    """Write other bytes in place of a file."""

    def spoil(folder: Path, canary: Path) -> None:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)

    return spoil


def sparse(file: str, head: bytes = b"") -> Callable[[Path, Path], None]:
    """Write a file of a terabyte that takes no place."""

    def spoil(folder: Path, canary: Path) -> None:
        with (folder / file).open("wb") as opened:
            opened.write(head)
            opened.truncate(SPARSE)

    return spoil


def set_option(key: str, value: Any) -> Callable[[Path, Path], None]:
    """Give an option of the configuration another value."""

    def spoil(folder: Path, canary: Path) -> None:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        node, *path = config, *key.split("/")
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = value
        (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")

    return spoil


def append(text: str) -> Callable[[Path, Path], None]:
    """Write text below the configuration; ``{canary}`` is the file that must never be made."""

    def spoil(folder: Path, canary: Path) -> None:
        with (folder / "config.yaml").open("a", encoding="utf-8", newline="\n") as file:
            file.write(text.replace("{canary}", str(canary)))

    return spoil


def both(*ways: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """Spoil a run in several ways."""

    def spoil(folder: Path, canary: Path) -> None:
        for way in ways:
            way(folder, canary)

    return spoil


# ---- pickles in place of every file

READERS = {
    "config.yaml": ("translate", rf"{NO_YAML}|{NOT_OF_A_RUN}"),
    "tokenizer/source.model": ("translate", NO_PIECES),
    "tokenizer/target.model": ("translate", NO_PIECES),
    "model.safetensors": ("translate", WEIGHTS),
    "shortlist.npz": ("translate", NO_SHORTLIST),
    "metrics.jsonl": ("compare", r"metrics\.jsonl(, line 1 is no JSON| cannot be read)"),
    "result.json": ("compare", r"result\.json cannot be read"),
    "attention.jsonl": ("evolution", r"attention\.jsonl(, line 1 is no JSON| cannot be read)"),
    "checkpoints/40.safetensors": ("average", WEIGHTS),
    "training/1-{checksum}.pt": ("resume", r"does not continue this run"),
}


def pickles() -> Iterator[Case]:
    """A pickle as Python writes it, and as torch does, in place of every file."""

    def plain(file: str) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            content = pickle.dumps(Bomb(canary))
            put(file.format(checksum=checksum(content)), content)(folder, canary)

        return spoil

    def of_torch(file: str) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            buffer = io.BytesIO()
            torch.save({"model": Bomb(canary)}, buffer)
            put(file.format(checksum=checksum(buffer.getvalue())), buffer.getvalue())(folder, canary)

        return spoil

    def of_numpy(folder: Path, canary: Path) -> None:
        np.savez(folder / "shortlist.npz", frequent=np.array([Bomb(canary)]), partners=np.array([Bomb(canary)]))

    def packed(folder: Path, canary: Path) -> None:
        buffer, small = io.BytesIO(), io.BytesIO()
        torch.save({"model": torch.zeros(1 << 24)}, buffer)
        with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in plain.namelist():
                archive.writestr(name, plain.read(name))
        put(f"training/1-{checksum(small.getvalue())}.pt", small.getvalue())(folder, canary)

    yield Case(
        "a state that grows a thousandfold", packed, r"does not continue this run \(it holds compressed", "resume"
    )
    for file, (reader, line) in READERS.items():
        yield Case(f"a pickle as {file}", plain(file), line, reader)
        yield Case(f"a file of torch.save as {file}", of_torch(file), line, reader)
    yield Case("pickles in the arrays of shortlist.npz", of_numpy, NO_SHORTLIST)


# ---- names in the configuration

FOREIGN = [
    *("os.system", "builtins.eval", "builtins.exec", "subprocess.Popen", "torch.load", "numpy.load", "pickle.loads"),
    *("hydra.utils.instantiate", "hydra.utils.get_method", "omegaconf.OmegaConf.load", "shutil.rmtree"),
    *("s2s.run.Run", "s2s.translator.Translator", "s2s.training.trainer.Trainer", "s2s.text.tokenizer.Tokenizer"),
    *("s2s.text.corpus.Corpus", "s2s.text.tokenizer.TokenizerRecipe", "s2s.text.shortlist.Shortlist"),
    *("s2s.report.page.Page", "s2s.report.gallery.Gallery", "s2s.building.build", "s2s.config.command"),
    *("S2S.search.beam.BeamSearch", "s2s.search.beam.beamsearch", "s2s.search..beam.BeamSearch"),
    *(" s2s.search.beam.BeamSearch", "s2s.search.beam.BeamSearch ", "s2s.search.beam.BeamSearch.__init__"),
    *(
        "s2s.search.beam.math.fsum",
        "s2s.search.grid.PenaltyGrid",
        "torch.optim.Adam",
        "ｓ2s.search.beam.BeamSearch",
        "",
    ),
]
NO_NAMES: list[Any] = [5, 1.5, True, None, ["os.system"], {"_target_": "os.system"}]
ELSEWHERE = {
    "model": "s2s.search.beam.BeamSearch",
    "model/attention": "s2s.model.kernel_cells.LSTM",
    "model/rnn": "s2s.model.attention.GeneralAttention",
    "model/encoder_rnn": "s2s.model.seq2seq.build_seq2seq",
    "model/decoder": "s2s.text.corpus.Corpus",
    "model/readout": "torch.optim.SGD",
    "model/bridge": "os.system",
    "model/window": "s2s.model.attention.Attention",
}


def names() -> Iterator[Case]:
    """Classes and functions that a search, or a part of a model, must not be."""
    for name in FOREIGN:
        yield Case(f"a search named {name!r}", set_option("search/_target_", name), NO_NAME)
    for name in NO_NAMES:
        yield Case(f"a search whose name is {name!r}", set_option("search/_target_", name), NO_NAME)
    for place, name in ELSEWHERE.items():
        yield Case(f"{name} as {place}", set_option(place, {"_target_": name, "_partial_": True}), NO_NAME)
    corpus = {"_target_": "s2s.text.corpus.Corpus", "source": "de", "target": "en", "label": "x", "path": "/"}
    yield Case("a corpus as the search", set_option("search", corpus), NO_NAME)
    yield Case("a corpus as the model", set_option("model", corpus), NO_NAME)
    yield Case("a search without a name", set_option("search", {"beam_size": 1}), NO_NAME)


def options() -> Iterator[Case]:
    """Options that steer how objects are made, or hide another object."""
    system = {"_target_": "os.system", "_args_": ["touch canary"]}
    for key, value in (
        ("_args_", [1]),
        ("_convert_", "all"),
        ("_recursive_", False),
        ("_mode_", "x"),
        ("__class__", 1),
    ):
        yield Case(f"{key} in the search", set_option(f"search/{key}", value), NO_OPTION)
        yield Case(f"{key} in the attention", set_option(f"model/attention/{key}", value), NO_OPTION)
    for place, value in (("search", True), ("search", "yes"), ("model", True), ("model/attention", False)):
        yield Case(
            f"_partial_={value} in {place}", set_option(f"{place}/_partial_", value), r"_partial_: .* is not how"
        )
    for place in ("search", "model", "model/rnn", "model/attention"):
        yield Case(f"a command in a list of {place}", set_option(f"{place}/extra", [[system]]), NO_NAME)
        yield Case(f"a command in an option of {place}", set_option(f"{place}/extra", {"deep": system}), NO_NAME)
    yield Case("a command as an argument", set_option("search/_args_", [system]), NO_NAME)
    yield Case("a command as a width", set_option("model/hidden_size", system), NO_NAME)
    yield Case("a model in a model", set_option("model/sizes", "s2s.model.seq2seq.build_seq2seq"), NO_OPTION)
    yield Case("a key that is a number", append("1: 2\n? [a, b]\n: c\n"), NO_YAML)
    for key, value in (("max_ratio", "2"), ("beam_size", 2.5), ("beam_size", True), ("beam_size", [1])):
        yield Case(f"search.{key}={value!r}", set_option(f"search/{key}", value), NO_VALUE)
    for key, value in (("hidden_size", "32"), ("hidden_size", 1e3), ("bidirectional", 1), ("rnn", "lstm")):
        yield Case(f"model.{key}={value!r}", set_option(f"model/{key}", value), NO_VALUE)


def references() -> Iterator[Case]:
    """References that would read the environment, a file or another option."""
    reaching = (
        *(f"${{oc.env:{SECRET}}}", f"${{oc.decode:${{oc.env:{SECRET}}}}}", "${hydra:runtime.cwd}", "${sample_folder:}"),
        *("${search.beam_size}", "\\${oc.env:HOME}", "a ${oc.select:data} b", "${oc.create:{}}", "???"),
    )
    for value in reaching:
        yield Case(f"the label {value}", set_option("data/label", value), NOT_OF_A_RUN)
    reference = f"${{oc.env:{SECRET}}}"
    for key in ("search/_target_", "model/hidden_size", "model/attention/_target_", "tokenizer/backwards"):
        yield Case(f"{reference} as {key}", set_option(key, reference), NOT_OF_A_RUN)
    yield Case("a reference in a key", append(f'"{reference}": 1\n'), NOT_OF_A_RUN)
    yield Case("a reference written by its code", append(f'x: "\\x24{{oc.env:{SECRET}}}"\n'), NOT_OF_A_RUN)
    yield Case("a reference over two lines", append(f'x: "$\\\n  {{oc.env:{SECRET}}}"\n'), NOT_OF_A_RUN)


# ---- sizes


def sizes() -> Iterator[Case]:
    """Sizes that would take the memory or the time of the machine."""
    for name in ("hidden_size", "embedding_size", "encoder_size", "feature_size"):
        line = rf"{WEIGHTS}|cannot be allocated|overflow|made? them equal|make them equal"
        yield Case(f"model.{name} of 10^9", set_option(f"model/{name}", HUGE), line)
        yield Case(f"model.{name} of 10^18", set_option(f"model/{name}", HUGE**2), line)
        yield Case(f"model.{name} of 10^30", set_option(f"model/{name}", 10**30), NO_VALUE)
        yield Case(f"model.{name} below 1", set_option(f"model/{name}", -4), r"is no width; give 1 or more")
    for name in ("num_layers", "encoder_layers", "decoder_layers", "forward_layers"):
        yield Case(f"model.{name} of 10^9", set_option(f"model/{name}", HUGE), r"layers is too deep; set their number")
    decoder = {"_target_": "s2s.model.decoder_gnmt.GNMTDecoder", "_partial_": True}
    deep = both(set_option("model/decoder", decoder), set_option("model/decoder_layers", HUGE))
    yield Case("a decoder of 10^9 layers of its own", deep, r"layers is too deep")
    parts = {
        "model/rnn": ("s2s.model.cells.GRUDeepTransition", "transitions", r"is too deep"),
        "model/attention": ("s2s.model.position_attention.LocationAttention", "max_length", WEIGHTS),
    }
    for place, (target, option, line) in parts.items():
        node = {"_target_": target, "_partial_": True, option: HUGE}
        yield Case(f"{target} with {option} of 10^9", set_option(place, node), line)
    filters = {"_target_": "s2s.model.position_attention.LocationSensitiveAttention", "_partial_": True}
    for option, value in (("filters", HUGE), ("filter_width", HUGE + 1), ("hidden_size", HUGE)):
        yield Case(
            f"attention with {option} of 10^9", set_option("model/attention", {**filters, option: value}), WEIGHTS
        )
    yield Case("a beam of 10^9", set_option("search/beam_size", HUGE), r"beam_size must be at most 1,000")
    for option, value in (("max_extra", HUGE), ("max_ratio", 1e9)):
        yield Case(f"search.{option} of 10^9", set_option(f"search/{option}", value), r"max_ratio must be at most 100")
    yield Case("search.max_ratio without end", set_option("search/max_ratio", float("inf")), r"max_ratio < inf")
    yield Case("search.max_ratio of no number", set_option("search/max_ratio", float("nan")), r"max_ratio < inf")


# ---- the document that is the configuration


def documents() -> Iterator[Case]:
    """YAML that makes objects, grows, is deep or is large."""
    laughs = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    for tag in (
        *("!!python/object/apply:os.system ['touch {canary}']", "!!python/object/new:os.system ['touch {canary}']"),
        *("!!python/name:os.system ''", "!!python/module:os ''", "!!python/tuple [1]", "!!binary aGk=", "!local x"),
        *("!!python/object/apply:pathlib.PosixPath ['/']", "!!set {a}", "!!timestamp 2001-01-01", "!!str x"),
    ):
        yield Case(f"the tag {tag.split()[0]}", append(f"x: {tag}\n"), NOT_OF_A_RUN)
    yield Case("a billion laughs", append(laughs), NOT_OF_A_RUN)
    yield Case("an anchor alone", append("x: &a 1\n"), NOT_OF_A_RUN)
    yield Case("a list in itself", append("x: &a [*a]\n"), NOT_OF_A_RUN)
    yield Case("a merge", append("x: &a {b: 1}\ny:\n  <<: *a\n"), NOT_OF_A_RUN)
    too_deep = rf"{NOT_OF_A_RUN}|{NO_YAML}"
    yield Case("lists in lists", append(f"x: {'[' * 50_000}\n"), too_deep)
    yield Case("maps in maps", append(f"x: {'{a: ' * 20_000}\n"), too_deep)
    yield Case("blocks in blocks", append("".join(f"{' ' * n}a:\n" for n in range(400))), NOT_OF_A_RUN)
    yield Case("a value of 100,000 letters", append(f"x: {'y' * 100_000}\n"), NOT_OF_A_RUN)
    yield Case("a megabyte of options", append("".join(f"o{n}: 1\n" for n in range(150_000))), r"has more than 131,072")
    yield Case("a terabyte", sparse("config.yaml", b"data: {}\n"), r"config\.yaml has more than 131,072 bytes")
    yield Case("an option twice", append("search: {}\n"), NO_YAML)
    yield Case("two documents", append("---\nx: 1\n"), NO_YAML)
    yield Case("a number of 4,000 digits", set_option("model/hidden_size", int("9" * 4000)), rf"{NO_VALUE}|{NO_YAML}")
    for name, content in (
        *(
            ("zero bytes", b"data: \0"),
            ("other encoding", "data: {}".encode("utf-16")),
            ("half a letter", b"data: \xc3"),
        ),
        *(("an open bracket", b"data: ["), ("an escape", b"\x1b[2J: ["), ("a date", b"data: 2001-01-01\n")),
    ):
        yield Case(f"a configuration of {name}", put("config.yaml", content), rf"{NO_YAML}|is no run's configuration")
    for content in (b"", b"5\n", b"- data\n- model\n- search\n", b"data: {}\nmodel: {}\n", b"text\n"):
        yield Case(
            f"the configuration {content!r}", put("config.yaml", content), r"is no run's configuration|cannot be"
        )
    for part in ("data", "model", "search", "tokenizer"):
        for value in (5, "text", [1], None):
            yield Case(f"{part}: {value!r}", set_option(part, value), rf"{part} is .*, expected options; copy the run")
    for name, value in (("seed", "x"), ("seed", True), ("device", [1]), ("init", 5)):
        yield Case(f"{name}: {value!r}", set_option(name, value), rf"{name} is .*, expected a \w+( number)?; copy the")
    yield Case("a label that clears the screen", set_option("data/label", "\x1b[2J"), NOT_OF_A_RUN)
    yield Case("a label of two lines", set_option("data/label", "a\nb"), NOT_OF_A_RUN)


def formats() -> Iterator[Case]:
    """Formats that this release cannot read."""
    for value in (FORMAT + 1, 10**6, 0, -1, 1.0, True, "1", None, [1], {"a": 1}):
        yield Case(
            f"format: {value!r}",
            set_option("format", value),
            rf"is of run format .*, and this release reads 1 to {FORMAT}",
        )


# ---- weights


def weights_file(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Bytes of a file of weights with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def changed_header(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path, Path], None]:
    """Change the header of the weights, and leave their bytes."""

    def spoil(folder: Path, canary: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        changed = change(header) or header
        path.write_bytes(weights_file(changed, content[8 + length :]))

    return spoil


def first_with(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Change fields of the first weight of a header."""
    return lambda header: header[sorted(header)[0]].update(fields)


def filled(value: float) -> Callable[[Path, Path], None]:
    """Write the same number in place of every weight."""

    def spoil(folder: Path, canary: Path) -> None:
        path = folder / "model.safetensors"
        save_file({name: torch.full_like(one, value) for name, one in load_file(path).items()}, path)

    return spoil


def without(header: dict[str, Any], name: str) -> dict[str, Any]:
    """A header that lacks a weight."""
    return {key: value for key, value in header.items() if key != name}


def rename(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    """Give a weight another name."""
    return lambda header: header.update({new: header.pop(old)})


def weights() -> Iterator[Case]:
    """Files of weights whose header lies."""
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    file, bias = "model.safetensors", "readout.bias"
    for name, content in {
        "nothing": b"",
        "four bytes": b"abcd",
        "a header of 2^63 bytes": weights_file({"a": one}, b"abcd", 2**63),
        "a header of 2^40 bytes": weights_file({"a": one}, b"abcd", 2**40),
        "a header that is longer than the file": weights_file({"a": one}, b"", 1000),
        "a header of no JSON": weights_file(b"{{{{", b"abcd"),
        "a header that is a list": weights_file([one], b"abcd"),
        "a header that is deep": weights_file(b'{"a":' * 100_000, b"abcd"),
        "no weights": weights_file({}),
        "a zip archive": b"PK\3\4" + bytes(1000),
    }.items():
        yield Case(f"weights: {name}", put(file, content), WEIGHTS)
    long = weights_file(b"{" + b" " * 2_000_000 + b"}")
    yield Case("weights: a header of two million letters", put(file, long), r"a header of 2,000,002 bytes in a file of")
    for name, fields in {
        "a shape of 2^80 numbers": {"shape": [2**40, 2**40]},
        "a shape of 2^63 numbers": {"shape": [2**63]},
        "a shape below zero": {"shape": [-1]},
        "a larger shape": {"shape": [10**6, 10**6]},
        "a shape that is text": {"shape": "big"},
        "a type of eight bytes": {"dtype": "F64"},
        "a type of whole numbers": {"dtype": "I32"},
        "a type that is unknown": {"dtype": "PICKLE"},
        "a place beyond the file": {"data_offsets": [0, 2**40]},
        "a place that ends before it begins": {"data_offsets": [400, 0]},
        "a place below zero": {"data_offsets": [-4, 0]},
        "a place that overlaps another": {"data_offsets": [4, 400]},
    }.items():
        yield Case(f"weights: {name}", changed_header(first_with(**fields)), WEIGHTS)
    yield Case("weights: one is missing", changed_header(lambda header: without(header, bias)), WEIGHTS)
    yield Case("weights: one too many", changed_header(lambda header: header.update(other=header[bias])), WEIGHTS)
    yield Case("weights: another name", changed_header(rename(bias, "\x1b[2J\n\x07")), WEIGHTS)
    yield Case("weights: a long name", changed_header(rename(bias, "x" * 100_000)), WEIGHTS)
    yield Case("weights: a terabyte of zeros", sparse(file), WEIGHTS)
    for value in (np.nan, np.inf):
        yield Case(f"weights: each of them {value}", filled(value), r"gave NaN as a log-probability")

    def as_large_as_it_says(folder: Path, canary: Path) -> None:
        wide = {"embedding_size": 24, "hidden_size": 2_000_000, "encoder_size": 2_000_000}
        for name, size in wide.items():
            set_option(f"model/{name}", size)(folder, canary)
        from s2s.building import build
        from s2s.run import Run

        run = Run(folder)
        source, target = run.tokenizers()
        with torch.device("meta"):
            model = build(run.config.model, "model", source_vocabulary=len(source), target_vocabulary=len(target))
        header, place = {}, 0
        for name, weight in model.named_parameters():
            after = place + 4 * weight.numel()
            header[name], place = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [place, after]}, after
        with (folder / file).open("wb") as opened:
            opened.write(weights_file(header))
            opened.truncate(opened.tell() + min(place, 2**42))

    yield Case("weights: a model of terabytes", as_large_as_it_says, rf"{WEIGHTS}|this machine has")


# ---- pieces


def pieces() -> Iterator[Case]:
    """Models of SentencePiece that are damaged or lie."""

    def cut(share: float, file: str) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            content = (folder / file).read_bytes()
            (folder / file).write_bytes(content[: int(share * len(content))])

        return spoil

    def extended(content: bytes) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            path = folder / "tokenizer/target.model"
            path.write_bytes(path.read_bytes() + content)

        return spoil

    def piece(text: bytes, kind: int = 1) -> bytes:
        inner = b"\x0a" + bytes([len(text)]) + text + b"\x15\0\0\0\0" + b"\x18" + bytes([kind])
        return b"\x0a" + bytes([len(inner)]) + inner

    generator = np.random.default_rng(0)
    for file in ("tokenizer/source.model", "tokenizer/target.model"):
        for share in (0.0, 0.1, 0.5, 0.9, 0.999):
            yield Case(f"{file} cut short at {share}", cut(share, file), rf"{NO_PIECES}|{WEIGHTS}|has PAD, UNK")
        yield Case(f"{file} of random bytes", put(file, generator.bytes(10_000)), NO_PIECES)
        yield Case(f"{file} of a terabyte", sparse(file), r"has more than 33,554,432 bytes, as no tokenizer has")
        yield Case(f"{file} as an archive", put(file, b"PK\3\4" + bytes(500)), NO_PIECES)
        yield Case(f"{file} of a field of 2^60 bytes", put(file, b"\x0a" + b"\xff" * 8 + b"\x0f"), NO_PIECES)
        yield Case(f"{file} of numbers without end", put(file, b"\xff" * 100), NO_PIECES)
    mapped = struct.pack("<I", 1024) + generator.bytes(1024) + b"abc\0"
    characters = b"\x12\x88\x08" + mapped
    for name, content, line in (
        ("a map of characters", b"\x1a\x8b\x08" + characters, NO_PIECES),
        ("a map for the way back", b"\x2a\x8b\x08" + characters, NO_PIECES),
        ("samples that test it", b"\x22\x02\x0a\x00", NO_PIECES),
        ("a field that no model has", b"\x7a\x01x", NO_PIECES),
        ("a piece with a line break", piece(b"a\nb"), NO_PIECES),
        ("a piece with a separator of lines", piece("a\u2028b".encode()), NO_PIECES),
        ("a piece of no text", piece(b"\xff\xfe"), NO_PIECES),
        ("an empty piece", piece(b""), NO_PIECES),
        ("a piece that is a byte", piece(b"<0x0A>", 6), NO_PIECES),
        ("a piece twice", piece("▁".encode()), NO_PIECES),
        ("an unknown that is shown as two lines", b"\x12\x06\xe2\x02\x03a\nb", NO_PIECES),
        ("another piece for PAD", b"\x12\x04\x82\x03\x01x", r"has PAD, UNK, BOS, EOS = "),
        ("one piece more than weights", piece("▁nowhere".encode()), r"needs one vocabulary, got 300 source and 301"),
    ):
        yield Case(f"pieces: {name}", extended(content), line)


# ---- the shortlist


def npy(shape: str, kind: str = "<i4", data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """Bytes of an array of NumPy with this header."""
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + data


def archive(method: int = zipfile.ZIP_DEFLATED, **arrays: bytes) -> bytes:
    """Bytes of a zip archive of arrays."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packed:
        for name, content in arrays.items():
            packed.writestr(f"{name}.npy", content)
    return file.getvalue()


def shortlists() -> Iterator[Case]:
    """Shortlists whose arrays are huge, or others than those of this run."""
    few = npy("(2,)", data=bytes(8))

    def with_partners(content: bytes) -> bytes:
        return archive(frequent=few, partners=content)

    def changed(change: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            with np.load(folder / "shortlist.npz") as arrays:
                found = change(arrays["frequent"].copy(), arrays["partners"].copy())
            np.savez_compressed(folder / "shortlist.npz", **found)

        return spoil

    whole = with_partners(npy("(2, 2)", data=bytes(16)))
    encrypted = bytearray(whole)
    for place in (whole.index(b"PK\3\4") + 6, whole.index(b"PK\1\2") + 8):
        encrypted[place] |= 1
    end = whole.rindex(b"PK\5\6")
    for name, content in {
        "nothing": b"",
        "random bytes": np.random.default_rng(1).bytes(1000),
        "an archive cut short": whole[:-10],
        "an array alone": npy("(2,)", data=bytes(8)),
        "a shape of 2^80 numbers": with_partners(npy(f"({2**40}, {2**40})")),
        "a shape of 10^12 numbers": with_partners(npy("(1000000, 1000000)")),
        "rows for other pieces": with_partners(npy("(7, 2)", data=bytes(56))),
        "a bomb of zeros": with_partners(npy("(300, 250000)", data=bytes(300_000_000))),
        "fewer numbers than it says": with_partners(npy("(300, 100)", data=bytes(12))),
        "three dimensions": with_partners(npy("(2, 2, 2)", data=bytes(32))),
        "objects": with_partners(npy("(2, 2)", "|O", pickle.dumps([1]))),
        "numbers with a point": with_partners(npy("(2, 2)", "<f4", bytes(16))),
        "a header of code": with_partners(npy("__import__('os').system('true')")),
        "a header that is deep": with_partners(npy("(" * 20_000)),
        "another format of arrays": with_partners(npy("(2, 2)", data=bytes(16), version=b"\2\0")),
        "a shape that is text": with_partners(npy("'big'")),
        "one array": archive(partners=few),
        "other names": archive(a=few, b=few),
        "an archive that is packed by LZMA": archive(zipfile.ZIP_LZMA, frequent=few, partners=few),
        "an archive with a password": bytes(encrypted),
    }.items():
        yield Case(f"shortlist: {name}", put("shortlist.npz", content), NO_SHORTLIST)
    for name, content in {
        "many arrays": archive(frequent=few, partners=few, **{f"a{number}": b"" for number in range(3000)}),
        "an archive with a comment": whole[:-2] + b"\4\0PK\5\6",
        "an archive that leads to a larger one": whole[:end] + b"PK\6\7" + bytes(16) + whole[end:],
    }.items():
        yield Case(f"shortlist: {name}", put("shortlist.npz", content), r"it is no archive of two arrays")
    yield Case("shortlist: a terabyte", sparse("shortlist.npz"), NO_SHORTLIST)
    yield Case(
        "shortlist: a piece that is not there",
        changed(lambda frequent, partners: {"frequent": frequent + 10**6, "partners": partners}),
        NO_SHORTLIST,
    )
    yield Case(
        "shortlist: a piece below zero",
        changed(lambda frequent, partners: {"frequent": frequent, "partners": partners - 10}),
        NO_SHORTLIST,
    )


# ---- what lies in the folder


def links() -> Iterator[Case]:
    """Links that lead out of the folder, and what is no file."""

    def linked(file: str, target: str) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            path = folder / file
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(target.replace("{canary}", str(canary)))

        return spoil

    def moved_out(file: str) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            outside = folder.parent / f"outside {Path(file).name}"
            (folder / file).rename(outside)
            (folder / file).symlink_to(outside)

        return spoil

    def pipe(file: str) -> Callable[[Path, Path], None]:
        def spoil(folder: Path, canary: Path) -> None:
            (folder / file).unlink(missing_ok=True)
            os.mkfifo(folder / file)

        return spoil

    def bound(folder: Path, canary: Path) -> None:
        here = os.getcwd()
        os.chdir(folder)  # the name of a socket may not be long
        try:
            with socket.socket(socket.AF_UNIX) as opened:
                opened.bind("socket")
        finally:
            os.chdir(here)

    for file in ("config.yaml", "model.safetensors", "shortlist.npz", "metrics.jsonl", "result.json", "tokenizer"):
        yield Case(f"{file} is a link to the same outside", moved_out(file), LEADS_OUT)
    yield Case("a tokenizer is a link to the same outside", moved_out("tokenizer/source.model"), LEADS_OUT)
    for file in ("config.yaml", "model.safetensors", "heatmap.png", "training", "training.partial", "new"):
        yield Case(f"{file} is a link to what is not there yet", linked(file, "{canary}"), LEADS_OUT)
    yield Case("checkpoints is a link to another folder", linked("checkpoints", "/"), LEADS_OUT)
    yield Case(
        "a checkpoint is a link to a file of the system", linked("checkpoints/1.safetensors", "/etc/passwd"), LEADS_OUT
    )
    yield Case("the metrics are a link to a device", linked("metrics.jsonl", "/dev/zero"), LEADS_OUT)
    yield Case("the result is a link upwards", linked("result.json", "../../../../etc/passwd"), LEADS_OUT)
    yield Case("a link to itself", linked("loop", "loop"), LEADS_OUT)
    for file in ("config.yaml", "model.safetensors", "shortlist.npz", "metrics.jsonl", "training", "other"):
        yield Case(f"{file} is a pipe", pipe(file), NO_FILE)
    yield Case("tokenizer/source.model is a pipe", pipe("tokenizer/source.model"), NO_FILE)
    yield Case("a socket lies in it", bound, NO_FILE)


# ---- records and results


def records() -> Iterator[Case]:
    """Records and results that are huge, deep, or others than a run writes."""
    train = {"split": "train", "updates": 50, "epoch": 0, "seconds": 1.0, "tokens_per_second": 5.0}
    valid = {"split": "valid", "updates": 50, "epoch": 0, "seconds": 1.0, "perplexity": 5.0, "best": True}
    deep = "[" * 200_000
    moment = {
        "updates": 1,
        "source": "a",
        "source_tokens": ["a"],
        "target_tokens": ["b"],
        "attention": [[1.0]],
        "token_log_probs": [0.0],
        "text": "b",
        "score": 0.0,
        "log_prob": 0.0,
    }

    def lines(*records: Any) -> bytes:
        return "".join(json.dumps(record) + "\n" for record in records).encode()

    wrong = r"(line 1 is no JSON|line \d+ is no record|line \d+: .* expected a|cannot be read|has more than)"
    for name, content in {
        "deep": deep.encode() + b"\n",
        "deep objects": ('{"a":' * 100_000 + "\n").encode(),
        "a number of 5,000 digits": b'{"updates": ' + b"9" * 5000 + b"}\n",
        "a list": lines([1]),
        "a number": lines(5),
        "a text": lines("x"),
        "nothing in it": lines({}),
        "no seconds": lines({**valid, "seconds": None}),
        "updates that are text": lines({**train, "updates": "50"}),
        "updates below zero": lines({**train, "updates": -1}),
        "updates of 10^300": lines({**train, "updates": 10**300}),
        "seconds that are a list": lines({**train, "seconds": [1]}),
        "perplexity that is text": lines({**valid, "perplexity": "low"}),
        "BLEU that is text": lines({**valid, "bleu": "high"}),
        "BLEU without a value": lines({**valid, "bleu": {}}),
        "an update without its speed": lines({key: train[key] for key in train if key != "tokens_per_second"}),
        "a validation without its perplexity": lines({key: valid[key] for key in valid if key != "perplexity"}),
        "updates that are a truth": lines({**train, "updates": True}),
        "half a letter": b"\xc3\n",
    }.items():
        yield Case(f"metrics: {name}", put("metrics.jsonl", content), rf"metrics\.jsonl,? {wrong}", "compare")
    yield Case("metrics: a terabyte", sparse("metrics.jsonl"), r"has more than 67,108,864 bytes", "compare")
    wrong = r"result\.json (cannot be read|is no result of a run|has more than)"
    for name, content in {
        "deep": deep.encode(),
        "a list": b"[]",
        "a number of 5,000 digits": b'{"BLEU": {"value": ' + b"9" * 5000 + b"}}",
        "a score that is a number": b'{"BLEU": 5}',
        "a score whose value is text": b'{"BLEU": {"value": "5"}}',
        "a score whose value is a list": b'{"BLEU": {"value": [5]}}',
        "a signature that is a number": b'{"BLEU": {"value": 5, "signature": 5}}',
        "a signature that clears the screen": b'{"BLEU": {"value": 5, "signature": "\\u001b[2J"}}',
        "a cost of 10^300": json.dumps({"model": {"parameters": 10**300}}).encode(),
        "half a letter": b"\xc3",
    }.items():
        yield Case(f"result: {name}", put("result.json", content), wrong, "compare")
    yield Case("result: a terabyte", sparse("result.json"), wrong, "compare")
    wrong = r"attention\.jsonl(,? line 1 is no JSON| holds no translations|, line 1 is no record)"
    for name, content in {
        "deep": deep.encode() + b"\n",
        "a list": lines([1]),
        "updates alone": lines({"updates": 1}),
        "pieces that are numbers": lines({**moment, "source_tokens": 5}),
        "attention of text": lines({**moment, "attention": [["x"]]}),
        "attention of another shape": lines({**moment, "attention": [[1.0, 0.0]]}),
        "attention with a gap": lines({**moment, "attention": [[1.0], []]}),
        "a score that is text": lines({**moment, "score": "high"}),
        "a score of 10^400": lines({**moment, "score": 10**400}),
    }.items():
        yield Case(f"attention: {name}", put("attention.jsonl", content), wrong, "evolution")
    yield Case("attention: a terabyte", sparse("attention.jsonl"), r"has more than 67,108,864 bytes", "evolution")
