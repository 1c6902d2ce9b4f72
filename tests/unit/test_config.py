"""Configs read what KFP delivers and refuse what nobody meant."""

import pytest

from kosparse.config import GenerateQueriesConfig, MineSynonymsConfig, TrainSparseConfig, VerifySynonymsConfig
from kosparse.errors import ConfigError
from kosparse.prompts import load


def test_whole_floats_become_ints_because_kfp_sends_floats():
    config = TrainSparseConfig.parse({"max_steps": 20.0})

    assert config.max_steps == 20 and isinstance(config.max_steps, int)


def test_a_fraction_is_not_a_count():
    with pytest.raises(ConfigError, match="max_steps"):
        TrainSparseConfig.parse({"max_steps": 3.5}, step="train_sparse")


def test_an_unknown_key_is_refused_and_the_known_ones_named():
    with pytest.raises(ConfigError) as error:
        TrainSparseConfig.parse({"learning_rat": 1e-3}, step="train_sparse")

    assert "learning_rat" in error.value.what and "learning_rate" in error.value.fix


def test_a_number_where_a_word_belongs_is_refused():
    with pytest.raises(ConfigError, match="train"):
        TrainSparseConfig.parse({"train": 3})


def test_defaults_survive_the_round_trip_through_json():
    assert TrainSparseConfig.parse(TrainSparseConfig.defaults()) == TrainSparseConfig()


def test_a_changed_prompt_changes_what_the_package_carries():
    assert GenerateQueriesConfig.defaults()["prompt_fingerprint"] == load("generate_queries").fingerprint


def test_keys_that_did_nothing_are_taken_out_of_the_records_of_earlier_runs():
    assert VerifySynonymsConfig.parse({"temperature": 0.0, "max_tokens": 1, "seed": 3}).seed == 3
    assert not VerifySynonymsConfig.retired & set(VerifySynonymsConfig.model_fields)
    with pytest.raises(ConfigError, match="temperature"):
        MineSynonymsConfig.parse({"temperature": 0.0})
