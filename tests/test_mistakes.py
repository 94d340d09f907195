"""A mistake of the person is one line that names the value, what was expected and what to do; the exit code is 2.

In the arguments ``{run}`` is a finished run, ``{data}`` the folder of its corpus and ``{here}`` one with broken files.
"""

import pytest

TRAIN = {
    "an option that is misspelt": ("trainig.steps=3", "trainig.steps is unknown, did you mean training.steps?"),
    "an option of another's": ("model.attention.heads=2", "model.attention.heads is unknown"),
    "a choice that there is not": ("model/rnn=lstmm", "model/rnn=lstmm is unknown, did you mean lstm?"),
    "a model that there is not": ("model=transformer", "model=transformer is unknown"),
    "an override without a value": ("training.steps", "'training.steps' cannot be read: expected name=value"),
    "an option that is added": ("+training.stepz=3", "'+training.stepz=3': options are neither added nor deleted here"),
    "a word for a number": ("seed=many", "seed=many is no value for seed; expected a number, such as 1"),
    "no end": ("training.epochs=null", "training has no end: set training.epochs, training.steps or training.minutes"),
    "no updates": ("training.steps=0", "training.steps=0 must be above 0"),
    "empty batches": ("training.batch_tokens=0", "training.batch_tokens=0 must be above 0"),
    "a smoothing of everything": ("training.label_smoothing=1", "training.label_smoothing=1 must be from 0 to below 1"),
    "an average that forgets nothing": ("training.moving_average=1", "training.moving_average=1 is no decay; give"),
    "an unknown criterion": ("training.criterion=rouge", "training.criterion=rouge is unknown; expected bleu, chrf"),
    "an unknown precision": ("training.precision=fp8", "training.precision=fp8 is unknown; expected"),
    "checkpoints below none": ("training.keep_checkpoints=-1", "training.keep_checkpoints=-1 is no number; give 0"),
    "a negative weight": ("training.coverage_loss=-1", "training.coverage_loss=-1 is no weight; give 0 for none"),
    "guidance without links": (
        "training.guided_alignment=1",
        "needs word links of the training pairs, and there is no",
    ),
    "attention of a pair that there is not": (
        "training.keep_attention=99",
        "training.keep_attention=99, but there are",
    ),
    "pairs that are all too long": ("training.longest=1", "no training pair is left of 60; raise training.longest=1"),
    "a folder that there is not": ("data.path=nowhere", "data.path: nowhere does not exist, expected a file or folder"),
    "a file for a folder": ("data.path={data}/train.de", "train.de is a file, expected .tsv, .jsonl, .json, .parquet"),
    "a language that there is not": (
        "data.target=fr",
        "no split 'train' in {data}, splits: none; add train.de + train",
    ),
    "neither path nor name": (
        "data.path=null",
        "data.path and data.name are both missing, expected one; set data.path",
    ),
    "a file of the corpus that there is not": ("data.train=no.tsv", "data.train: {data}/no.tsv does not exist"),
    "one file of two": ("data.train=train.de", "data.train=train.de is neither one file ending in .tsv"),
    "no pair to train on": ("data.limit=0", "data.limit=0 leaves no pair to train on; give 1 or more, or null for all"),
    "a tag without pairs": ("data.extra_tag=__bt__", "data.extra_tag=__bt__ has no pairs to mark; give data.extra="),
    "sides of unequal length": (
        "data.train=[{here}/two.de,{data}/train.en]",
        "lines and {here}/two.de has 2, expected",
    ),
    "text that is not UTF-8": (
        "data.train=[{here}/latin.de,{here}/two.en]",
        "latin.de, line 2: byte 0xfc at offset 6 is",
    ),
    "a table without its columns": ("data.train={here}/narrow.tsv", "narrow.tsv, line 1: 1 cells, expected 2"),
    "a line that is no JSON": ("data.train={here}/broken.jsonl", "broken.jsonl, line 2: not JSON"),
    "a column that there is not": (
        "data.train={here}/wrong.jsonl",
        "wrong.jsonl, line 1: no column 'en', expected both",
    ),
    "a cell without text": (
        "data.train={here}/null.jsonl",
        "null.jsonl, line 1: column 'en' is null, expected a string",
    ),
    "a table that is no Parquet": ("data.train={here}/broken.parquet", "cannot be read"),
    "a file that holds nothing": ("data.train=[{here}/empty,{here}/empty]", "no pairs, expected one or more"),
    "a vocabulary that is too large": (
        "tokenizer=bpe tokenizer.vocabulary_size=9999",
        "tokenizer.vocabulary_size=9999 does not fit this corpus",
    ),
    "a coverage of nothing": ("tokenizer.character_coverage=0", "tokenizer.character_coverage=0 is no share; give"),
    "characters that are sampled": ("tokenizer.sampling=0.1", "tokenizer.sampling=0.1 does not go with"),
    "one embedding for two vocabularies": (
        "tokenizer.joint=false model.share_embeddings=true",
        "model.share_embeddings needs one vocabulary, got",
    ),
    "a readout of another width": ("model.feature_size=7", "a tied readout has the embedding's width, got"),
    "a state without width": ("sizes.hidden=0", "model.hidden_size=0 is no width; give 1 or more"),
    "an odd width for two directions": (
        "model.encoder_size=7",
        "model.encoder_size=7 cannot be shared by two directions",
    ),
    "no layers": ("model.num_layers=0", "a recurrent network of 0 layers cannot be built; set num_layers to 1 or more"),
    "all units dropped": ("sizes.dropout=1", "model.dropout=1 is no probability below 1; give a number from 0 to 0.9"),
    "dot attention of unequal widths": (
        "model/attention=dot model.encoder_size=8",
        "dot attention needs decoder and encoder states of one width, got 24 and 8; use model/attention=general",
    ),
    "heads that do not divide the width": (
        "model/attention=multihead model.attention.heads=5",
        "multi-head attention shares decoder states among its heads, got a width of 24 for 5; set model.attention",
    ),
    "a filter without a middle": (
        "model/attention=location_sensitive model.attention.filter_width=4",
        "model.attention.filter_width=4: a filter needs a middle; give an odd number",
    ),
    "a window of nothing": (
        "model/window=local_m model.window.width=0",
        "model.window.width=0: a window narrower than 1",
    ),
    "a window over no attention": (
        "model/attention=none model/window=local_m",
        "model/attention=none looks at nothing",
    ),
    "a copy between unequal widths": (
        "model/bridge=copy model.encoder_size=8",
        "the copy bridge needs encoder and decoder states of one width, got 8 and 24; use model/bridge=linear",
    ),
    "nothing of the source": ("model/bridge=zero model/attention=none", "the decoder would know nothing of the source"),
    "an unknown nonlinearity": (
        "model/rnn=rnn model.rnn.nonlinearity=sine",
        "nonlinearity=sine is unknown; give tanh or",
    ),
    "a rate that is none": ("optimizer.lr=-1", "the optimizer cannot be made"),
    "a rise below zero": ("scheduler.warmup=-1", "scheduler.warmup=-1 is negative; give the number of updates"),
    "a fall after the end": (
        "scheduler.decay_from=1",
        "scheduler.decay_from=1 is no share of training; give 0 to 0.99",
    ),
    "a plateau that does not fall": (
        "scheduler=plateau scheduler.decay=1",
        "scheduler.decay=1 and scheduler.patience=2",
    ),
    "no beam": ("search=beam search.beam_size=0", "beam_size must be 1 or more, got 0; 1 is greedy"),
    "a device that there is not": ("device=toaster", "device=toaster cannot be used here"),
    "a run to begin from that there is not": (
        "init=nowhere",
        "nowhere is no run: it has no config.yaml; train one with",
    ),
    "a tokenizer for a run that has one": (
        "init={run} tokenizer=bpe",
        "tokenizer cannot be chosen in a run that begins",
    ),
    "a resumed run that becomes another": (
        "resume={run} seed=3",
        "seed cannot change in a resumed run, only training.*",
    ),
    "a place where no run can be": (
        "runs_dir={here}/two.de",
        "cannot be made (Not a directory); give another runs_dir=",
    ),
}
OTHERS = {
    "no run": (
        "translate run=nowhere",
        "nowhere is no run: it has no config.yaml; train one with `python -m s2s.train`",
    ),
    "no finished run": (
        "translate runs_dir={here}",
        "no finished run in {here}; train one with `python -m s2s.train` or",
    ),
    "runs that cut text differently": ("translate run=[{run},{here}/other]", "cannot be read"),
    "no input": ("translate run={run} input=nowhere.de", "nowhere.de cannot be read (No such file or directory); give"),
    "a folder for the output": ("translate run={run} output={here}", "{here}"),
    "an input that would be lost": (
        "translate run={run} input={here}/two.de output={here}/two.de",
        "is an input, which",
    ),
    "an unknown format": ("translate run={run} format=xml", "format=xml is unknown; expected text or jsonl"),
    "more hypotheses than the beam": ("translate run={run} n_best=9", "n_best must be at most beam_size, got 9 and 5"),
    "no hypothesis": ("translate run={run} n_best=0", "n_best must be 1 or more, got 0; ask for at least"),
    "an empty batch": ("translate run={run} batch_size=0", "batch_size=0 holds no sentence; give 1 or more"),
    "nobody to work": (
        "translate run={run} workers=0",
        "workers=0 would leave the work undone; give 1 or more, or null",
    ),
    "an empty shortlist": ("translate run={run} shortlist=0", "shortlist=0 leaves no word; give 1 or more, or null"),
    "an unknown precision in translating": (
        "translate run={run} precision=int4",
        "precision=int4 is unknown; expected",
    ),
    "an option of the search that there is not": (
        "translate run={run} search.beam=3",
        "search.beam is unknown, did you",
    ),
    "a temperature of zero": (
        "translate run={run} search=sample search.temperature=0",
        "temperature must be above 0 and finite, got 0",
    ),
    "an unknown measure of risk": ("translate run={run} mbr=rouge", "mbr=rouge"),
    "a picture of no kind": ("translate run={run} heatmap=x.gif", "x.gif"),
    "translations without references": ("evaluate hypotheses={here}/two.en", "references"),
    "unequal numbers of lines": ("evaluate hypotheses={here}/two.en references={data}/test.en", "two.en"),
    "an unknown metric": ("evaluate hypotheses={here}/two.en references={here}/two.en metrics=[rouge]", "rouge"),
    "a split that there is not": (
        "evaluate run={run} data.split=gold",
        "no split 'gold' in {data}, splits: train, valid",
    ),
    "links without gold": ("evaluate links={here}/two.en", "gold"),
    "a report of no kind": ("evaluate run={run} report=page.doc", "page.doc"),
    "a run that is no run": ("compare {here}", "{here} is no run: it has no config.yaml"),
    "a table of no kind": ("compare {run} output=table.doc", "output=table.doc ends in none of .txt"),
    "an unknown kind of table": ("compare {run} format=doc", "format=doc is unknown; expected text, markdown, csv"),
    "an unknown view": ("inspect run={run} view=soul", "view=soul is unknown"),
    "an unknown level": ("inspect run={run} level=letters", "level=letters"),
    "an ending of no kind": ("inspect run={run} output=x.doc", "x.doc"),
    "targets that are too few": (
        "inspect run={run} input={data}/test.de target={here}/two.en",
        "two.en has fewer lines",
    ),
    "a place that cannot be read": ("inspect run={run} force=[first]", "force"),
    "a replacement that cannot be read": ("inspect run={run} replace=cat", "replace"),
    "a share of nothing": ("inspect run={run} output=x.align share=0", "share is 0, expected a number above 0"),
    "beam sizes that are words": ("tune run={run} beam_size=[many]", "beam_size=['many'] is no list of whole numbers"),
    "an unknown criterion in tuning": ("tune run={run} criterion=loss", "criterion=loss is unknown; expected one of"),
    "checkpoints that were not kept": ("average run={run}", "checkpoint"),
    "an unknown task": ("bench task=think", "task=think is unknown; expected train, decode, startup"),
    "a number of repeats that is none": ("bench bench.repeats=0", "bench.repeats=0: expected whole numbers above 0"),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder of files that are broken in one way each."""
    folder = tmp_path_factory.mktemp("broken")
    for name, content in {
        "two.de": b"eins\nzwei\n",
        "two.en": b"one\ntwo\n",
        "latin.de": "eins\nfünf\n".encode("latin-1"),
        "narrow.tsv": b"eins\n",
        "broken.jsonl": b'{"de": "eins", "en": "one"}\n{"de": \n',
        "wrong.jsonl": b'{"de": "eins", "fr": "un"}\n',
        "null.jsonl": b'{"de": "eins", "en": null}\n',
        "broken.parquet": b"no table",
        "empty": b"",
    }.items():
        (folder / name).write_bytes(content)
    (folder / "other").mkdir()
    (folder / "other" / "config.yaml").write_text("a: [1, 2", encoding="utf-8")
    return folder


def test_there_are_sixty_mistakes_at_least():
    assert len(TRAIN) + len(OTHERS) >= 60


@pytest.fixture
def told(in_process, trained, digits, here, tmp_path):
    """What a command says, and what it was to say, of a mistake."""

    def tell(command, arguments, message):
        places = {"run": trained.folder, "data": digits, "here": here}
        result = in_process(command, *(argument.format(**places) for argument in arguments), stdin=b"eins\n")
        assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())
        return result, message.format(**places)

    return tell


def check(result, message):
    code, out, said = result
    assert code == 2, said
    assert out == ""
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert errors == said.splitlines()[-1:], said
    assert message in errors[0]
    assert len(errors[0]) < 600


@pytest.mark.parametrize(("arguments", "message"), TRAIN.values(), ids=TRAIN)
def test_a_mistake_in_training_is_one_line(told, small_options, arguments, message):
    beginning = [] if "resume=" in arguments else small_options
    check(*told("train", [*beginning, *arguments.split()], message))


@pytest.mark.parametrize(("arguments", "message"), OTHERS.values(), ids=OTHERS)
def test_a_mistake_elsewhere_is_one_line(told, arguments, message):
    command, *rest = arguments.split()
    check(*told(command, rest, message))
