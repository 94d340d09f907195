"""An update asks the device for nothing, so that a GPU never waits for the program nor the program for it."""

import sys
import pytest
import torch
from unasked import Calls, Operations
from s2s.train import prepare
from s2s.run import Run
from s2s.training import preparation
from accelerate import Accelerator

META = torch.device("meta")

@pytest.fixture
def update(create_run, monkeypatch):
    build_model = Run.build_model
    monkeypatch.setattr(Run, "build_model", lambda run: build_model(run).to(META))
    monkeypatch.setattr(preparation, "pick_device", lambda name: META)
    monkeypatch.setattr(Accelerator, "device", META)
    monkeypatch.setattr(sys.modules["torch.optim.optimizer"], "_get_fused_kernels_supported_devices", lambda: ["meta"])
    def make(*options):
        trainer, _ = prepare(create_run("sizes.dropout=0.2", "training.moving_average=0.9", *options))
        ids, groups = trainer._epoch()
        with Operations(), Calls():
            for group in groups[:2]:
                trainer._update(ids, group)
    return make

def test_x(update):
    update()
