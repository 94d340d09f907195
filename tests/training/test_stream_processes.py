"""Several processes share a stream: each pair is read by one of them once an epoch, and all make as many updates."""

import multiprocessing
import os
import socket
import sys

import pytest
import torch

from s2s.run import Run

OPTIONS = (
    *("data.streaming=true", "data.shuffle_buffer=11", "scheduler=constant", "sizes.dropout=0"),
    *("training.batch_tokens=64", "training.epochs=2", "training.validate_every=1000"),
)


def train(folder, rank, count, port, cache, answers):
    """Train a run as one of several processes; answer the pairs it has seen, by epoch, and its updates."""
    import datasets

    from s2s.training.preparation import prepare
    from s2s.training.processes import joined

    datasets.config.HF_DATASETS_CACHE = cache
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    torch.set_num_threads(1)
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1", OMP_NUM_THREADS="1")
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    trainer, _ = prepare(Run(folder), joined(torch.device("cpu")))
    found, update, data = [], trainer._update, trainer.data

    def noting(plan, place):
        for rows in plan.groups[place]:
            for row in rows.tolist():
                sides = zip((data.source, data.target), (plan.ids.source, plan.ids.target), strict=True)
                found.append((trainer.state.epoch, tuple(side.decode(ids[row].tolist()) for side, ids in sides)))
        return update(plan, place)

    trainer._update = noting
    trainer.train()
    weights = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
    answers.put((rank, found, trainer.state.updates, weights.tolist()))


@pytest.mark.parametrize("workers", [1, 0])
def test_every_pair_is_read_once_by_one_of_two_processes(create_run, digits, workers):
    import datasets

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["s2s.train", "datasets", "accelerate"])
    run = create_run(*OPTIONS, f"data.workers={workers}")
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    answers, cache = context.Queue(), datasets.config.HF_DATASETS_CACHE
    started = [context.Process(target=train, args=(run.folder, rank, 2, port, cache, answers)) for rank in range(2)]
    for process in started:
        process.start()
    found = {rank: rest for rank, *rest in (answers.get(timeout=120) for _ in started)}
    for process in started:
        process.join(timeout=60)
    sides = [(digits / f"train.{side}").read_text(encoding="utf-8").splitlines() for side in ("de", "en")]
    for epoch in (0, 1):
        read = [[pair for number, pair in found[rank][0] if number == epoch] for rank in (0, 1)]
        assert sorted(read[0] + read[1]) == sorted(zip(*sides, strict=True))
        assert len(read[0]) == len(read[1]) == 30
    assert found[0][1] == found[1][1] > 10
    assert found[0][2] == found[1][2]  # bit for bit
