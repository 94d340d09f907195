"""Language models: the chain rule, distributions that sum to one, and running text read in parts."""

import math

import pytest
import torch
from tiny_models import CELLS, TARGETS, assert_same, padded, tiny_language_model, written

from s2s.errors import InputError
from s2s.model.language_model import Carried, read_on
from s2s.text.batching import Batch
from s2s.text.tokenizer import BOS, EOS

every_cell = pytest.mark.parametrize("cell", CELLS)


def batch(targets=TARGETS):
    return Batch(padded([[EOS]] * len(targets)), padded(targets), tuple(range(len(targets))))


@every_cell
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"tie_readout": False, "feature_size": 5}], ids=str)
def test_whole_sentences_are_what_steps_make_of_them(cell, options):
    model = tiny_language_model(rnn=cell, **options)
    features, attention = model(batch())
    stepped, _ = written(model, batch())
    real = batch().target.mask
    assert_same(features[real], stepped[real])
    assert attention.shape == (3, 6, 0)


@every_cell
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)], ids=str)
def test_the_probability_of_a_sentence_is_that_of_the_chain_rule_and_each_factor_is_a_distribution(
    cell, dtype, tolerance
):
    model = tiny_language_model(rnn=cell).to(dtype)
    log_probs = model.readout.log_probs(model(batch())[0])
    assert_same(log_probs.exp().sum(dim=-1), torch.ones(3, 6, dtype=dtype), tolerance)
    for row, sentence in enumerate(TARGETS):
        state, memory = model.start(padded([[EOS]]))
        total, token = 0.0, BOS
        for word in sentence:
            step = model.step(torch.tensor([token]), state, memory)
            total += float(model.readout.log_probs(model.readout.features(step.output))[0, word].detach())
            state, token = step.state, word
        whole = log_probs[row, range(len(sentence)), sentence].sum().item()
        assert whole == pytest.approx(total, rel=tolerance)


def test_the_probabilities_of_all_texts_up_to_a_length_and_of_what_is_longer_sum_to_one():
    model = tiny_language_model(source_vocabulary=5, target_vocabulary=5)
    texts, total = [[]], 0.0
    for _ in range(3):
        longer = [[*text, word] for text in texts for word in range(5)]
        log_probs = model.readout.log_probs(model(batch(longer))[0]).detach()
        of_texts = {tuple(text): float(log_probs[row, range(len(text)), text].sum()) for row, text in enumerate(longer)}
        total += sum(math.exp(value) for text, value in of_texts.items() if text[-1] == EOS)
        texts = [text for text in longer if text[-1] != EOS]
    total += sum(math.exp(of_texts[tuple(text)]) for text in texts)
    assert total == pytest.approx(1, abs=1e-9)


def test_a_sentence_does_not_depend_on_the_others_nor_on_padding():
    model = tiny_language_model()
    together, _ = model(batch())
    for row, sentence in enumerate(TARGETS):
        assert_same(together[row : row + 1, : len(sentence)], model(batch([sentence]))[0])


TEXT = torch.tensor([[4, 5, EOS, 6, 7, 8, 9, EOS, 10, EOS, 11, 12], [9, 8, 7, EOS, EOS, 4, 5, 6, 12, EOS, 4, EOS]])


@every_cell
@pytest.mark.parametrize("parts", [(12,), (5, 7), (1,) * 12], ids=str)
def test_running_text_read_in_parts_is_read_as_a_whole(cell, parts):
    model = tiny_language_model(rnn=cell, num_layers=2)
    expected, state = [], None
    step_state, memory = model.start(padded([[EOS]] * 2))
    before = torch.tensor([BOS, BOS])
    for words in TEXT.unbind(dim=1):
        step = model.step(before, step_state, memory)
        expected.append(model.readout.features(step.output))
        step_state, before = step.state, words.masked_fill(words == EOS, BOS)
    features = []
    for part in TEXT.split(parts, dim=1):
        found, state = read_on(model, part, state)
        features.append(found)
    assert_same(torch.cat(features, dim=1), torch.stack(expected, dim=1))
    assert_same(state.rnn, step_state.rnn)
    assert state.last.tolist() == [12, EOS]


def test_the_first_line_of_running_text_is_read_as_a_line_that_stands_alone():
    model = tiny_language_model()
    features, _ = read_on(model, TEXT[:1, :3])
    assert_same(features, model(batch([[4, 5, EOS]]))[0])


def test_no_gradient_goes_back_into_the_part_before():
    model = tiny_language_model()
    _, carried = read_on(model, TEXT[:, :6])
    assert not any(part.requires_grad for part in carried.rnn)
    changed = Carried(tuple(part + 1 for part in carried.rnn), carried.last)
    one, other = (read_on(model, TEXT[:, 6:], state)[0] for state in (carried, changed))
    assert (one - other).abs().max() > 1e-6


def test_it_says_that_it_reads_no_source():
    assert not tiny_language_model().reads_source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source_vocabulary": 7}, "needs one vocabulary, got 7 source and 13"),
        ({"feature_size": 5}, "a tied readout has the embedding's width, got model.feature_size=5"),
        ({"hidden_size": 0}, "model.hidden_size=0 is no width"),
        ({"word_dropout": 1.0}, "model.word_dropout=1.0 is no probability below 1"),
        ({"dropout": -0.1}, "model.dropout=-0.1 is no probability below 1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_cannot_be_built_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        tiny_language_model(**options)


@pytest.mark.parametrize("dropout", ["dropout", "recurrent_dropout", "word_dropout"])
@pytest.mark.parametrize("variational", [False, True])
def test_dropout_thins_running_text_in_training_alone(dropout, variational):
    model = tiny_language_model(**{dropout: 0.5, "variational": variational, "num_layers": 2})
    calm = [read_on(model, TEXT)[0] for _ in range(2)]
    assert_same(*calm)
    model.train()
    first, second = (read_on(model, TEXT)[0] for _ in range(2))
    assert (first - second).abs().max() > 1e-6
