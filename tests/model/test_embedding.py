"""Embeddings: the table and what is read from it."""

import torch

from s2s.model.embedding import Embedding
from s2s.text.batching import collate


def test_ids_become_rows_of_the_table_times_the_root_of_the_width():
    embedding = Embedding(5, 4)
    ids = collate([[1, 2], [3]]).ids
    assert torch.equal(embedding(ids), 2.0 * embedding.weight[ids])


def test_rows_are_about_one_long_and_what_is_read_has_units_of_about_one():
    torch.manual_seed(0)
    embedding = Embedding(2000, 64).requires_grad_(False)
    assert 0.95 < float(embedding.weight.norm(dim=1).mean()) < 1.05
    assert 0.95 < float(embedding(torch.arange(2000)).std()) < 1.05
