"""Several processes train as one does with batches as many times larger, and one goes on where several stopped."""

import multiprocessing
import socket
import sys

import pytest
import torch

from s2s.errors import InputError
from s2s.run import Run
from s2s.train import prepare
from s2s.training import trainer as trainer_module
from s2s.training.portion import Portion
from s2s.training.processes import ALONE, Processes
from s2s.training.resume import TrainingState

OPTIONS = ("sizes.dropout=0", "training.validate_every=3", "training.label_smoothing=0.1", "training.longest=40")


def train(folder, rank, count, port, cache, ends_at, answers):
    """Train a run as one of several processes; the worker with rank 1 may end by itself after some updates."""
    import os

    import datasets

    from s2s.training.preparation import prepare
    from s2s.training.processes import joined

    datasets.config.HF_DATASETS_CACHE = cache
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    torch.set_num_threads(1)
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1", OMP_NUM_THREADS="1")
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # a machine may not know an address by its own name
    trainer_module.UPDATES_PER_RECORD = 1
    processes = joined(torch.device("cpu"))
    assert (processes.rank, processes.count) == (rank, count)
    trainer, _ = prepare(Run(folder), processes)
    if ends_at and rank == 1:
        update = trainer._update

        def ending(*arguments):
            if trainer.state.updates == ends_at:
                os._exit(7)
            return update(*arguments)

        trainer._update = ending
    try:
        trainer.train()
        weights = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
        answers.put((rank, "trained", weights.tolist()))
    except InputError as error:
        answers.put((rank, "refused", str(error)))


@pytest.fixture(scope="module")
def together():
    """Train a run by several processes that begin with everything imported; what each answers, by rank."""
    import datasets

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["s2s.train", "datasets", "accelerate", "test_processes"])

    def start(run, count, *, ends_at=0):
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            port = place.getsockname()[1]
        answers, cache = context.Queue(), datasets.config.HF_DATASETS_CACHE
        workers = [
            context.Process(target=train, args=(run.folder, rank, count, port, cache, ends_at, answers))
            for rank in range(count)
        ]
        for worker in workers:
            worker.start()
        found = [answers.get(timeout=120) for _ in range(count - (ends_at > 0))]
        for worker in workers:
            worker.join(timeout=60)
        return {rank: (what, value) for rank, what, value in found}

    return start


@pytest.fixture
def alone(monkeypatch):
    """Train a run by one process: its weights."""
    monkeypatch.setattr(trainer_module, "UPDATES_PER_RECORD", 1)

    def start(run):
        trainer, _ = prepare(run)
        assert trainer.train()
        return torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])

    return start


def records(run):
    return [
        {key: value for key, value in one.items() if key in ("split", "updates", "epoch", "loss", "perplexity")}
        for one in run.records()
    ]


def assert_alike(ones, others):
    assert [one.pop("split") for one in ones] == [other.pop("split") for other in others]
    for one, other in zip(ones, others, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("count", [2, 4])
def test_so_many_processes_are_one_with_a_batch_as_many_times_larger(create_run, together, alone, count):
    options = (*OPTIONS, "training.steps=6", "training.accumulation=2", "training.moving_average=0.9")
    one = create_run(*options, "training.batch_tokens=256", name="one")
    several = create_run(*options, f"training.batch_tokens={256 // count}", name="several")
    weights = alone(one)
    answers = together(several, count)
    assert {what for what, _ in answers.values()} == {"trained"}
    for _, found in answers.values():
        assert found == answers[0][1]  # bit for bit
        torch.testing.assert_close(torch.tensor(found), weights, rtol=1e-5, atol=1e-6)
    assert_alike(records(several), records(one))
    assert [one["split"] for one in records(several)].count("valid") == 2


def test_a_batch_with_fewer_pairs_than_processes_is_learnt_from_all_the_same(create_run, together, alone):
    options = (*OPTIONS, "training.steps=3", "data.limit=3")
    one, several = (create_run(*options, f"training.batch_sentences={size}") for size in (4, 1))
    weights = alone(one)
    answers = together(several, 4)
    torch.testing.assert_close(torch.tensor(answers[3][1]), weights, rtol=1e-5, atol=1e-6)


def test_translations_for_validation_are_shared_and_scored_in_their_order(create_run, together, alone):
    options = (
        *OPTIONS,
        "training.steps=40",
        "training.validate_every=40",
        "training.criterion=bleu",
        "optimizer.lr=0.02",
    )
    one, several = (create_run(*options, f"training.batch_tokens={tokens}") for tokens in (256, 128))
    alone(one)
    together(several, 2)
    found = [[record["chrf"] for record in run.records() if record["split"] == "valid"] for run in (one, several)]
    assert found[0] == found[1]
    assert found[0][0]["value"] > 15


RUNNING = ("model=lm", "training.truncated_length=7")


@pytest.mark.parametrize(
    ("options", "first", "then"),
    [((), 2, 1), ((), 1, 2), ((), 4, 1), ((), 1, 4), (RUNNING, 2, 1), (RUNNING, 1, 2)],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_run_goes_on_with_another_number_of_processes(create_run, together, alone, options, first, then):
    options = (*OPTIONS, *options, "scheduler=constant")
    run = create_run(*options, "training.steps=3", f"training.batch_tokens={128 // first}")
    straight = create_run(*options, "training.steps=6", "training.batch_tokens=128")
    weights = alone(straight)

    def weights_after(run, count):
        return alone(run) if count == 1 else torch.tensor(together(run, count)[0][1])

    weights_after(run, first)
    run.config.training.steps, run.config.training.batch_tokens = 6, 128 // then
    run.save_config()
    torch.testing.assert_close(weights_after(Run(run.folder), then), weights, rtol=1e-5, atol=1e-6)


def test_where_one_is_gone_the_others_end_with_a_line_and_what_was_saved_is_whole(create_run, together, alone):
    run = create_run(*OPTIONS, "training.steps=9", "training.batch_tokens=128")
    ((what, message),) = together(run, 2, ends_at=5).values()
    assert what == "refused"
    assert message.startswith("another process of this job has ended (")
    assert message.endswith("what was saved last is whole: start them all again")
    assert [record["updates"] for record in run.records() if record["split"] == "valid"] == [3]
    alone(run)  # goes on from there
    assert [record["updates"] for record in run.records() if record["split"] == "valid"] == [3, 6, 9]


def test_another_length_of_the_epoch_leaves_the_share_of_it_that_was_done():
    portion = Portion(None, None)
    state = TrainingState(position=3, updates_of_portion=6)
    state.enter(portion, 12)
    assert (state.position, state.updates_of_portion) == (6, 12)
    state.enter(portion, 4)
    assert (state.position, state.updates_of_portion) == (2, 4)
    of_an_older_run = TrainingState(position=3)
    of_an_older_run.enter(portion, 12)
    assert of_an_older_run.position == 3


def test_each_process_draws_its_own_dropout_and_the_first_goes_on_as_it_was():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    Processes(3, 0).seed(1)
    assert torch.random.get_rng_state().equal(before)
    draws = []
    for rank in (1, 2, 1):
        Processes(3, rank).seed(1)
        draws.append(torch.rand(4).tolist())
    assert draws[0] == draws[2] != draws[1]


def test_one_alone_shares_with_nobody():
    items, total = [3, 1, 2], torch.ones(2)
    assert ALONE.share(items) == ALONE.gathered(items) == items
    ALONE.sum_(total)
    assert total.tolist() == [1, 1]
    assert ALONE.by_first(lambda: "x") == "x"
    with ALONE.first_before_others():
        pass


@pytest.mark.parametrize("accumulation", [1, 4])
def test_an_update_sums_gradients_once_however_many_batches_it_has(create_run, monkeypatch, accumulation):
    trainer, _ = prepare(create_run("training.batch_tokens=64", f"training.accumulation={accumulation}"))
    plan = trainer._plan()
    assert len(plan.groups[0]) == accumulation
    trainer.processes, sums = Processes(2, 0), []
    monkeypatch.setattr("torch.distributed.all_reduce", sums.append)
    trainer._update(plan, 0)
    (summed,) = sums
    assert summed.numel() == 1 + sum(weight.numel() for weight in trainer.model.parameters())


@pytest.mark.parametrize(("count", "size"), [(2, 5), (3, 5), (4, 3), (4, 8)])
def test_what_is_dealt_out_is_gathered_in_order(monkeypatch, count, size):
    items = list(range(size))
    shares = [Processes(count, rank).share(items) for rank in range(count)]

    def all_gather(of_all, own):
        of_all[:] = shares

    monkeypatch.setattr("torch.distributed.all_gather_object", all_gather)
    assert Processes(count, 0).gathered(shares[0]) == items


def test_what_the_first_is_refused_ends_the_others(monkeypatch):
    def refuse():
        raise InputError("no such thing")

    monkeypatch.setattr(
        "torch.distributed.broadcast_object_list", lambda told, source: told.__setitem__(1, "no such thing")
    )
    with pytest.raises(InputError, match="no such thing"):
        Processes(2, 0).by_first(refuse)
    with pytest.raises(SystemExit) as ended:
        Processes(2, 1).by_first(refuse)
    assert ended.value.code == 2
