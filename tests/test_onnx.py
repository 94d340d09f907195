"""ONNX export: graphs do what the model does, and a run that was exported so translates as it did."""

import json
import re
import shutil
from itertools import cycle

import numpy as np
import onnx
import pytest
import torch
from test_combinations import ATTENTIONS, BRIDGES, CELLS, DECODERS, PRESETS, READOUTS, SIBLINGS, UNATTENDED, WINDOWS
from test_combinations import model_of as combined

from s2s import Translator
from s2s.errors import InputError
from s2s.export import pack
from s2s.model.ensemble import OneModel
from s2s.onnx_graphs import tensors_of, write_graphs
from s2s.onnx_writer import OnnxWriter
from s2s.run import Run
from s2s.search.sampling import Sampling
from s2s.text.batching import collate

SENTENCES = ["eins zwei", "", "drei vier fünf", "neun acht sieben sechs", "null", "eins null eins null"]
TOLERANCE = 1e-4
LOOKING = [decoder for decoder in DECODERS if decoder not in UNATTENDED]


def with_every_part():
    """Models in which every choice of every group stands at least once."""
    groups = {"rnn": CELLS, "window": WINDOWS, "bridge": BRIDGES, "readout": READOUTS, "decoder": LOOKING}
    others = {group: cycle(choices) for group, choices in groups.items()}
    for attention in ATTENTIONS:
        if attention != "none":
            yield {"attention": attention, **{group: next(choices) for group, choices in others.items()}}
    for decoder in sorted(UNATTENDED):
        yield {"attention": "none", "decoder": decoder, "rnn": next(others["rnn"]), "bridge": "mean"}
    yield from ({"model": preset} for preset in PRESETS if preset in SIBLINGS.values())


MODELS = {" ".join(parts.values()): parts for parts in with_every_part()}
# A window that knows where it has looked, a cell from its equations, and a bridge from the encoder's final state.
(QUICK,) = (name for name in MODELS if name.startswith("additive_normalised gru_cho local_m linear"))


def largest_difference(model, writer, lengths, rows):
    """Between torch and onnxruntime, over positions with rows reordered and a sentence gone between them."""
    draw, found = torch.Generator().manual_seed(len(lengths)), []
    source = collate([torch.randint(4, 23, (length,), generator=draw).tolist() for length in lengths])
    alone = OneModel(model)
    own, other = alone.start(source), writer.start(source)
    every = torch.arange(len(lengths)).repeat_interleave(rows)
    own, other = own.select(every), other.select(every)
    for position in range(4):
        tokens = torch.randint(4, 23, (len(every),), generator=draw)
        *expected, own = alone.step(tokens, own)
        *actual, other = writer.step(tokens, other)
        state = tensors_of(own)
        assert other.named.keys() == state.keys()
        for one, two in [*zip(actual, expected, strict=True), *((other.named[name], state[name]) for name in state)]:
            assert one.shape == two.shape
            assert one.dtype == two.dtype
            found.append(float((one.double() - two.double()).abs().max()) if one.numel() else 0.0)
        if position == 1 and len(lengths) > 1:
            kept = torch.arange(1, len(lengths))
            own, other, every = own.keep(kept), other.keep(kept), every[rows:] - 1
        reordered = every * rows + torch.randint(rows, every.shape, generator=draw)
        own, other = own.select(reordered), other.select(reordered)
    return max(found)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == QUICK else pytest.mark.slow) for name in MODELS]
)
@torch.no_grad()
def test_graphs_do_what_the_model_does_at_sizes_they_were_not_traced_with(name, tmp_path, capfd):
    model = combined(**MODELS[name]).eval()
    assert write_graphs(model, tmp_path) < TOLERANCE
    assert capfd.readouterr() == ("", "")  # nothing that the exporter has to say
    writer = OnnxWriter(tmp_path)
    for lengths, rows in (([1], 1), ([3, 11, 1, 8, 6, 2], 4), ([130, 7], 2)):
        assert largest_difference(model, writer, lengths, rows) < TOLERANCE


def test_every_choice_of_every_group_is_among_these_models():
    for group, choices in {
        "attention": ATTENTIONS,
        "rnn": CELLS,
        "window": WINDOWS,
        "bridge": BRIDGES,
        "readout": READOUTS,
        "decoder": DECODERS,
    }.items():
        assert {parts[group] for parts in MODELS.values() if group in parts} == set(choices), group


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory):
    """The trained run as graphs."""
    folder = tmp_path_factory.mktemp("exported") / "given"
    pack(trained, folder, name="given", form="onnx", precision="float32")
    return folder


@pytest.fixture
def at_once(exported, monkeypatch):
    """Take the graphs that were made, and not some seconds to make them again."""
    monkeypatch.setattr("s2s.onnx_graphs._write", lambda module, given, path: shutil.copy(exported / path.name, path))


@pytest.fixture
def by_graphs(exported):
    return Translator.load(exported)


def assert_same_translation(one, other):
    assert (one.text, one.target_tokens, one.source_tokens) == (other.text, other.target_tokens, other.source_tokens)
    assert one.score == pytest.approx(other.score, abs=TOLERANCE)
    assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=TOLERANCE)
    np.testing.assert_allclose(one.attention, other.attention, atol=TOLERANCE)


def test_sentences_are_translated_by_graphs_as_by_torch(by_graphs, translator):
    pairs = list(zip(by_graphs(SENTENCES, n_best=3), translator(SENTENCES, n_best=3), strict=True))
    assert any(one.has_words and one.attention.shape[0] > 4 for one, _ in pairs)
    for one, other in pairs:
        assert len(one.alternatives) == len(other.alternatives) == (2 if one.has_words else 0)
        for mine, yours in zip((one, *one.alternatives), (other, *other.alternatives), strict=True):
            assert_same_translation(mine, yours)


def test_samples_are_drawn_and_targets_scored_by_graphs_as_by_torch(by_graphs, translator):
    search = Sampling()
    for one, other in zip(by_graphs.using(search)(SENTENCES), translator.using(search)(SENTENCES), strict=True):
        assert_same_translation(one, other)
    given = ["one two", "zero", "three", "", "nine nine", "one"]
    for one, other in zip(by_graphs.score(SENTENCES, given), translator.score(SENTENCES, given), strict=True):
        assert one.token_log_probs == pytest.approx(other.token_log_probs, abs=TOLERANCE)
        np.testing.assert_allclose(one.attention, other.attention, atol=TOLERANCE)


def test_what_is_given_away_is_the_graphs_and_what_a_user_needs(exported):
    assert {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()} == {
        "config.yaml",
        "README.md",
        "result.json",
        "encoder.onnx",
        "step.onnx",
        "tokenizer/source.model",
        "tokenizer/target.model",
    }
    for file in ("encoder.onnx", "step.onnx"):
        graph = onnx.load(exported / file)
        onnx.checker.check_model(graph)
        assert b".py" not in (exported / file).read_bytes()  # where the code lies is nobody's business
        assert {one.domain for one in graph.opset_import} <= {"", "ai.onnx"}  # nothing but ONNX's own operators


def test_the_example_on_the_card_translates_as_the_run_does(exported, trained, monkeypatch):
    from s2s.search.beam import BeamSearch

    greedy = Translator.load(trained, device="cpu", search=BeamSearch(beam_size=1))
    card = (exported / "README.md").read_text("utf-8")
    (example,) = [block for block in re.findall("```python\n(.*?)```", card, re.DOTALL) if "onnxruntime" in block]
    monkeypatch.chdir(exported)
    given = {}
    exec(example, given)
    for sentence in filter(None, SENTENCES):
        assert given["translate"](sentence) == greedy([sentence])[0].text
    assert "| `step.onnx` | gives | `attention` | float32 (sentences, rows, length) |" in card


def test_commands_read_it_as_they_read_a_run(exported, trained, in_process):
    lines = "\n".join(SENTENCES).encode()
    answers = [in_process("translate", f"run={run}", "device=cpu", stdin=lines) for run in (exported, trained.folder)]
    assert answers[0][0] == 0, answers[0][2]
    assert answers[0][1] == answers[1][1] != ""
    answers = [
        in_process("score", f"run={run}", "device=cpu", "format=jsonl", stdin=b"eins zwei\tone two\n")
        for run in (exported, trained.folder)
    ]
    assert answers[0][0] == 0, answers[0][2]
    given, expected = (json.loads(out) for _, out, _ in answers)
    for name in ("log_prob", "perplexity", "token_log_probs"):  # unrounded, as two libraries multiplied
        assert given.pop(name) == pytest.approx(expected.pop(name), rel=0, abs=1e-5)
    assert given == expected
    assert given["text"] == "one two"


def test_the_command_writes_it_and_says_how_near_it_is_to_torch(in_process, trained, tmp_path, at_once):
    code, out, error = in_process("export", f"run={trained.folder}", "output=new", "format=onnx")
    assert code == 0, error
    assert out.startswith("exported   new (")
    assert re.search(r"^largest difference from torch: \d\.\de-0[5-9]$", error, re.MULTILINE)
    assert Run(tmp_path / "new").has_graphs()


MISTAKES = {
    "a format": ("trained", ["format=tflite"], "format=tflite is unknown; expected safetensors or onnx"),
    "a precision": (
        "trained",
        ["format=onnx", "precision=int8"],
        "precision=int8: ONNX graphs are in float32; leave precision= out",
    ),
    "a language model": ("language_model", ["format=onnx"], "a language model has no encoder to export"),
    "graphs": ("graphs", [], "has ONNX graphs but no weights; give the run that they were made of"),
}


@pytest.mark.parametrize(("run", "options", "message"), MISTAKES.values(), ids=MISTAKES)
def test_what_cannot_be_exported_is_one_line_and_leaves_nothing_behind(
    in_process, request, exported, tmp_path, run, options, message
):
    folder = exported if run == "graphs" else request.getfixturevalue(run).folder
    code, out, error = in_process("export", f"run={folder}", "output=new", *options)
    assert (code, out) == (2, "")
    assert message in error.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_weights_of_more_than_a_file_holds_are_refused(in_process, trained, monkeypatch):
    monkeypatch.setattr("s2s.onnx_graphs.MOST_BYTES", 1000)
    code, _, error = in_process("export", f"run={trained.folder}", "output=new", "format=onnx")
    assert (code, "GB are too many for an ONNX file" in error.splitlines()[-1]) == (2, True)


def test_a_graph_that_differs_from_the_model_is_a_fault_and_not_given_away(trained, at_once, monkeypatch, tmp_path):
    monkeypatch.setattr("s2s.onnx_graphs.TOLERANCE", 0.0)
    with pytest.raises(RuntimeError, match=r"the graphs differ from the model by \d\.\de-0\d, and may by 0.0"):
        pack(trained, tmp_path / "new", name="new", form="onnx", precision="float32")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnxscript", "onnxruntime"])
def test_a_package_that_is_missing_is_named_with_the_way_to_get_it(in_process, trained, exported, monkeypatch, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    expected = f"error: ONNX needs {package}, which is not installed; `pip install 's2s[onnx]'`"
    code, _, error = in_process("export", f"run={trained.folder}", "output=new", "format=onnx")
    assert (code, error.splitlines()[-1]) == (2, expected)
    if package == "onnxruntime":
        code, _, error = in_process("translate", f"run={exported}")
        assert (code, error.splitlines()[-1]) == (2, expected)


REFUSED = {
    "device": ({"device": "cuda"}, r"device=cuda, but .* has ONNX graphs, which run alone on a CPU in float32; leave"),
    "precision": ({"precision": "int8"}, "precision=int8, but .* leave precision= out"),
    "shortlist": ({"shortlist": 5}, "has no shortlist.npz"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_graphs_have_not_got_is_refused(exported, options, message):
    with pytest.raises(InputError, match=message):
        Translator.load(exported, **options)


def test_graphs_translate_alone_and_are_not_looked_into(exported, trained, by_graphs):
    with pytest.raises(InputError, match=r"2 runs translate together, but .* give the runs with their weights"):
        Translator.load([trained, exported])
    with pytest.raises(InputError, match="exported graphs cannot be looked into; give the run that they were made of"):
        by_graphs.model  # noqa: B018
    assert by_graphs.has_attention
    assert by_graphs.reads_source


def test_a_list_of_words_is_refused(exported):
    with pytest.raises(InputError, match="an exported graph scores all words; leave shortlist= out"):
        OnnxWriter(exported).start(collate([[4, 3]]), listed=object())


def test_a_language_model_has_a_say_among_graphs_as_among_weights(exported, trained, language_model, in_process):
    options = [f"search.lm={language_model.folder}", "search.lm_weight=0.3", "device=cpu"]
    answers = [
        in_process("translate", f"run={run}", *options, stdin=b"eins zwei\n") for run in (exported, trained.folder)
    ]
    assert answers[0][:2] == answers[1][:2]
    assert answers[0][0] == 0
    code, _, error = in_process("translate", f"run={exported}", *options, "search.internal_lm_weight=0.1")
    assert (code, "internal_lm_weight= needs weights, which an ONNX export has not" in error) == (2, True)


@pytest.mark.parametrize("file", ["encoder.onnx", "step.onnx"])
def test_a_file_that_is_no_graph_or_another_is_one_line(exported, tmp_path, file):
    folder = tmp_path / "spoilt"
    shutil.copytree(exported, folder)
    (folder / file).write_bytes(b"nothing")
    with pytest.raises(InputError, match=rf"{file} cannot be used \(.*\); export the run again"):
        Translator.load(folder)
    shutil.copy(exported / ("step.onnx" if file == "encoder.onnx" else "encoder.onnx"), folder / file)
    with pytest.raises(InputError, match="holds no graphs of a translator; export the run again"):
        Translator.load(folder)


def test_a_graph_that_fails_is_one_line(exported, tmp_path):
    folder = tmp_path / "spoilt"
    shutil.copytree(exported, folder)
    graph = onnx.load(folder / "encoder.onnx")
    table = next(one for one in graph.graph.initializer if len(one.dims) == 2)
    table.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(table)[:2], table.name))
    onnx.save(graph, folder / "encoder.onnx")
    with pytest.raises(InputError, match=r"encoder.onnx cannot be used \(.*\); export the run again"):
        Translator.load(folder)(["eins zwei"])


def test_it_goes_through_a_hub(exported, monkeypatch, tmp_path):
    import huggingface_hub

    from s2s.hub import fetched

    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))

    def snapshot_download(name, *, revision, local_dir, allow_patterns):
        for path in exported.rglob("*"):
            if path.is_file() and any(path.relative_to(exported).match(pattern) for pattern in allow_patterns):
                (local_dir / path.relative_to(exported)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, local_dir / path.relative_to(exported))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert Translator.from_pretrained("me/x")(["eins"])[0].has_words

    def out_of_reach(*_, **__):
        raise OSError("out of reach")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", out_of_reach)
    assert Run(fetched("me/x")).has_graphs()
