"""The shape of the house: which room may import which, and what every room must have."""

import ast
import importlib
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from s2s.building import build
from s2s.config import CONF, compose

HOUSE = Path(__file__).parents[1]
PACKAGE = HOUSE / "s2s"
FILES = sorted(PACKAGE.rglob("*.py"))
COMMANDS = {
    *(
        "train",
        "average",
        "translate",
        "tune",
        "evaluate",
        "compare",
        "inspect",
        "bench",
        "doctor",
        "sample",
        "score",
        "export",
    ),
}
CELLAR = {"errors", "storage"}
GROUND = {"text", "search", "report", "config", "building"}
# A room imports what is named here, itself and the cellar: nothing on its own floor or above.
MAY_IMPORT = {
    **{room: set() for room in GROUND},
    **{room: set() for room in CELLAR},
    "memory": set(),
    "config": {"memory"},
    "building": {"config"},
    "model": {"text"},
    "run_format": {"run_files"},
    "run_files": set(),
    "weights": {"memory"},
    "run": {"building", "text", "model", "run_format", "run_files", "weights"},
    "translation": GROUND,
    "decoding": GROUND | {"model"},
    "fusion": GROUND | {"model", "run"},
    "hub": GROUND,
    "model_card": {"run"},
    "translator": GROUND | {"model", "run", "fusion", "hub", "translation", "decoding"},
    "reranking": GROUND | {"run", "translation", "translator"},
    "scoring": GROUND | {"translator"},
    "inside": GROUND | {"model", "run", "translator"},
    "inspection": GROUND | {"model", "run", "translator"},
    "intervention": GROUND | {"model", "run", "translator", "inspection"},
    "training": GROUND | {"model", "run", "run_files", "translation", "decoding", "translator", "reranking"},
    "evaluation": GROUND | {"run", "translator", "training"},
    **{command: GROUND | {"model", "run", "translator", "training"} for command in COMMANDS},
    "translate": GROUND | {"run", "translation", "translator", "reranking"},
    "evaluate": GROUND | {"evaluation"},
    "inspect": GROUND | {"run", "translator", "inside", "inspection", "intervention"},
    "doctor": GROUND,
    "tune": GROUND | {"run", "fusion", "translator", "reranking", "training"},
    "export": GROUND | {"run", "hub", "model_card"},
    "sample": GROUND | {"run", "translation", "translator"},
    "score": GROUND | {"run", "translator", "scoring"},
    "bench": GROUND | {"model", "run", "translator", "training"},
    "__init__": {"translator"},
}
MODEL_READS = {"s2s.text.batching", "s2s.text.tokenizer"}
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def room_of(path):
    """The folder of the package a file lies in, or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(path):
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def imports(tree):
    """Every module of the project that a file imports, wherever in the file it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            if node.module == "s2s":
                yield from (f"s2s.{alias.name}" for alias in node.names)
            elif (node.module or "").startswith("s2s."):
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "s2s")


def documented(tree, prefix=""):
    """Every public class and function of a file, methods with their class, and whether it has a docstring."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", ast.get_docstring(node) is not None
            if isinstance(node, ast.ClassDef):
                yield from documented(node, f"{node.name}.")


def targets(node):
    """Every `_target_` in a configuration file."""
    if isinstance(node, dict):
        yield from ([node["_target_"]] if "_target_" in node else [])
        for value in node.values():
            yield from targets(value)


CONF_TARGETS = [
    (path.relative_to(CONF).as_posix(), target)
    for path in sorted(CONF.rglob("*.yaml"))
    for target in targets(OmegaConf.to_container(OmegaConf.load(path), resolve=False))
]


def isort_order(name):
    """Constants, then classes, then functions, each by the alphabet, as ruff sorts `__all__`."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def test_every_room_is_on_a_floor():
    assert {room_of(path) for path in FILES} == set(MAY_IMPORT)


@every_file
def test_a_room_imports_only_what_stands_below_it(path):
    room = room_of(path)
    imported = {module: module.split(".")[1] for module in imports(TREES[path])}
    allowed = MAY_IMPORT[room] | {room} | CELLAR
    assert {module for module, other in imported.items() if other not in allowed} == set()


def test_the_import_reader_sees_every_form_of_import():
    source = (
        "import s2s.run\nfrom s2s.text import corpus\ndef f():\n    from s2s import model\nimport re, s2s.config as c"
    )
    assert set(imports(ast.parse(source))) == {"s2s.run", "s2s.text", "s2s.model", "s2s.config"}


def test_the_model_takes_ids_and_batches_from_text_and_nothing_else():
    taken = {module for path in FILES if room_of(path) == "model" for module in imports(TREES[path])}
    assert {module for module in taken if module.startswith("s2s.text")} == MODEL_READS


@every_file
def test_every_module_and_every_public_name_has_a_docstring(path):
    assert ast.get_docstring(TREES[path]), "the module has none"
    assert [name for name, has_docstring in documented(TREES[path]) if not has_docstring] == []


@every_file
def test_what_a_module_offers_exists_and_is_sorted(path):
    module = importlib.import_module(module_of(path))
    offered = getattr(module, "__all__", [])
    assert [name for name in offered if not hasattr(module, name)] == []
    assert offered == sorted(set(offered), key=isort_order)


def test_modules_do_offer_names():
    offering = [path for path in FILES if "__all__" in path.read_text(encoding="utf-8")]
    assert len(offering) >= 20


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_is_under_a_hundred_lines(command):
    assert len((PACKAGE / f"{command}.py").read_text(encoding="utf-8").splitlines()) < 100


def test_nothing_is_named_after_no_one_thing():
    paths = [*FILES, *CONF.rglob("*"), *(HOUSE / "tests").rglob("*.py")]
    assert len(paths) > 60
    assert [
        path for path in paths if {path.stem, path.parent.name} & {"utils", "util", "common", "base", "helpers"}
    ] == []


def test_configuration_names_many_targets():
    assert len(CONF_TARGETS) >= 30
    assert {path.split("/")[0] for path, _ in CONF_TARGETS} >= {"data", "model", "optimizer", "scheduler", "search"}


@pytest.mark.parametrize(("file", "target"), CONF_TARGETS)
def test_a_target_can_be_imported_and_built(file, target):
    module, _, name = target.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
    group, _, choice = file.removesuffix(".yaml").rpartition("/")
    if group == "optimizer" or (group.startswith("model/") and group != "model/sizes"):
        assert callable(build({"_target_": target, "_partial_": True}, group))
        return
    names = {"files": "a/b", "hub": "a/b", "several": "[a/b,c/d]"}
    given = ["data.source=de", "data.target=en", f"data.name={names[choice]}"] if choice in names else []
    config = compose("train", [f"{group}={choice}", *given] if group not in ("", "model/sizes") else [])
    part = {"": "training", "model/sizes": "model"}.get(group, group)
    sizes = {"source_vocabulary": 9, "target_vocabulary": 9} if part == "model" else {}
    assert type(build(config[part], part, **sizes)).__name__ in (name, "Seq2Seq")
