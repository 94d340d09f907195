"""What runs differ in is told in as few words as tell them apart."""

from typing import Any

from s2s.report.differences import differing_options


def config(**model: Any) -> dict[str, Any]:
    """A configuration whose model is changed in some places."""
    whole: dict[str, Any] = {
        "seed": 1,
        "data": {"_target_": "s2s.text.corpus.Corpus", "path": "/data/a", "label": "sample"},
        "model": {
            "_target_": "s2s.model.seq2seq.build_seq2seq",
            "rnn": {"_target_": "s2s.model.kernel_cells.LSTM", "_partial_": True},
            "attention": {"_target_": "s2s.model.attention.ScaledDotAttention", "_partial_": True},
            "hidden_size": 256,
            "num_layers": 1,
        },
        "scheduler": {"_target_": "s2s.training.schedule.Plateau", "patience": 2},
        "training": {"patience": None, "epochs": 4},
    }
    whole["model"] |= model
    return whole


def changed(section: str, **options: Any) -> dict[str, Any]:
    return {**config(), section: {**config()[section], **options}}


def test_equal_configurations_differ_in_nothing() -> None:
    assert differing_options([config(), config()]) == [{}, {}]
    assert differing_options([config()]) == [{}]


def test_only_what_differs_is_told_a_class_by_its_word() -> None:
    gru = config(rnn={"_target_": "s2s.model.kernel_cells.GRU"}, num_layers=2)
    assert differing_options([config(), gru, gru | {"name": "x"}]) == [
        {"rnn": "lstm", "num_layers": "1"},
        {"rnn": "gru", "num_layers": "2"},
        {"rnn": "gru", "num_layers": "2"},
    ]


def test_classes_of_several_words_and_abbreviations_are_readable() -> None:
    other = config(
        attention={"_target_": "s2s.model.attention.GeneralAttention"},
        rnn={"_target_": "s2s.model.cells.LSTMReference"},
    )
    assert differing_options([config(), other]) == [
        {"rnn": "lstm", "attention": "scaled_dot"},
        {"rnn": "lstm_reference", "attention": "general"},
    ]


def test_the_name_of_a_choice_goes_before_that_of_its_class() -> None:
    target = "s2s.model.window.LocalPredictiveWindow"
    local = config(window={"_target_": target, "width": 10})
    assert differing_options([config(), local], {target: "local_p"})[1]["window"] == "local_p"
    assert differing_options([config(), local])[1]["window"] == "local_predictive"


def test_options_of_another_choice_are_no_difference_of_their_own() -> None:
    additive = config(attention={"_target_": "s2s.model.attention.AdditiveAttention", "hidden_size": 64})
    assert differing_options([config(), additive]) == [{"attention": "scaled_dot"}, {"attention": "additive"}]
    wider = config(attention={"_target_": "s2s.model.attention.AdditiveAttention", "hidden_size": 128})
    assert differing_options([additive, wider]) == [{"attention.hidden_size": "64"}, {"attention.hidden_size": "128"}]


def test_keys_are_long_enough_to_mean_one_option() -> None:
    assert differing_options([config(), changed("training", patience=3)]) == [
        {"training.patience": "null"},
        {"training.patience": "3"},
    ]
    assert differing_options([config(), changed("training", epochs=5)])[1] == {"epochs": "5"}


def test_values_read_as_they_are_typed() -> None:
    runs = [config(x=value) for value in (True, 1e-3, 0.30000000000000004, [0.9, 0.98], "multi30k")]
    assert [run["x"] for run in differing_options(runs)] == ["true", "0.001", "0.3", "[0.9,0.98]", "multi30k"]


def test_a_class_that_moved_is_the_same_choice() -> None:
    assert differing_options([config(), config(rnn={"_target_": "s2s.model.fused.LSTM"})]) == [{}, {}]


def test_an_option_an_older_run_did_not_have_differs_where_it_is_set() -> None:
    assert differing_options([config(), config(window=None)]) == [{}, {}]
    assert differing_options([config(), config(residual=True)]) == [{}, {"residual": "true"}]


def test_seeds_and_paths_are_told_only_where_nothing_else_tells_runs_apart() -> None:
    gru = config(rnn={"_target_": "s2s.model.kernel_cells.GRU"}) | {"seed": 2}
    assert differing_options([config(), gru]) == [{"rnn": "lstm"}, {"rnn": "gru"}]
    assert differing_options([config(), config() | {"seed": 2}]) == [{"seed": "1"}, {"seed": "2"}]
    assert differing_options([config(), changed("data", path="/data/b")]) == [{"path": "/data/a"}, {"path": "/data/b"}]
    both = changed("data", path="/data/b") | {"seed": 2}
    assert differing_options([config(), both]) == [{"seed": "1"}, {"seed": "2"}]
