import numpy as np
import pytest

from kosparse.errors import ConfigError, InputError
from kosparse.jsonl import write_json
from kosparse.records import Provenance
from kosparse.synonyms.calibrate import auroc, expected_calibration_error, quality
from kosparse.synonyms.combiner import Calibration, Combiner, Weights, cross_validated, logit, read_calibration

WEIGHTS = Weights(mean=[1.0], scale=[2.0], weights=[3.0], intercept=0.5)


def test_auroc_counts_ties_half():
    assert auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx(3.5 / 4)
    assert auroc(np.array([]), np.array([0.1])) is None


def test_calibration_error_is_the_weighted_gap():
    p, truth = np.array([0.95, 0.95, 0.25, 0.25]), np.array([True, False, False, False])

    assert expected_calibration_error(p, truth) == pytest.approx(0.5 * 0.45 + 0.5 * 0.25)
    assert expected_calibration_error(np.array([]), np.array([], dtype=bool)) == 0.0


def test_quality_by_hand():
    report = quality(
        np.array([0.9, 0.8, 0.7, 0.1]), [True, False, True, False], ["true", "sibling", "true", "random"], 0.8
    )

    assert report["brier"] == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)
    assert (report["accepted"], report["precision"], report["recall"]) == (2, 0.5, 0.5)
    assert (report["auroc"], report["auroc_hard"], report["auroc_random"]) == (0.75, 0.5, 1.0)


def test_quality_when_nothing_is_accepted_has_no_precision():
    assert quality(np.array([0.1, 0.2]), [True, False], ["true", "random"], 0.8)["precision"] is None


def test_the_combiner_learns_and_its_probabilities_are_calibrated():
    random = np.random.default_rng(0)
    evidence = random.normal(size=(2000, 1))
    labels = (random.uniform(size=2000) < 1 / (1 + np.exp(-2 * evidence[:, 0]))).tolist()

    p = cross_validated(evidence, labels, [str(i) for i in range(2000)], seed=1)

    assert expected_calibration_error(p, np.array(labels)) < 0.05
    assert Combiner().fit(evidence, labels).coefficients(["x"])["x"] > 1.5
    assert Combiner().fit(evidence, labels).predict(np.zeros((0, 1))).shape == (0,)


def test_a_group_is_never_on_both_sides():
    """Features identify the group, labels are random by group: only a leak could predict them."""
    groups = [str(i // 10) for i in range(200)]
    evidence = np.eye(20)[np.arange(200) // 10]
    labels = [int(group) % 2 == 0 for group in groups]

    p = cross_validated(evidence, labels, groups, seed=0)

    assert auroc(p[labels], p[~np.array(labels)]) <= 0.6


def test_logit_is_finite_at_the_ends():
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    assert logit(np.array([0.5])) == pytest.approx([0.0])


def test_weights_are_a_standardised_logistic_regression():
    (p,) = Combiner(WEIGHTS).predict(np.array([[2.0]]))

    assert p == pytest.approx(1 / (1 + np.exp(-(0.5 + 3.0 * (2.0 - 1.0) / 2.0))))


def test_a_fit_read_back_predicts_the_same(tmp_path):
    random = np.random.default_rng(0)
    evidence, labels = random.normal(size=(50, 2)), [bool(i % 3) for i in range(50)]
    fitted = Combiner().fit(evidence, labels)
    write_json(tmp_path / "c", {"fitted": calibration(without_llm=fitted.weights).model_dump()})

    again = Combiner(read_calibration(tmp_path / "c").without_llm)

    assert np.allclose(again.predict(evidence), fitted.predict(evidence))


def calibration(**fields):
    known = {"model": "m", "quantization": "bf16", "prompt": "p@1", "features": ["x"], "labelled": 9}
    return Calibration(**{**known, "without_llm": WEIGHTS, "with_llm": WEIGHTS, **fields})


def test_a_calibration_is_good_for_what_it_was_fitted_for():
    calibration().require(Provenance(model="m", quantization="bf16", prompt="p@1"), ["x"])
    calibration().require(None, ["x"])


@pytest.mark.parametrize(("name", "other"), [("model", "n"), ("quantization", "int4"), ("prompt", "p@2")])
def test_a_calibration_is_refused_for_another_model_precision_or_prompt(name, other):
    used = Provenance(**{"model": "m", "quantization": "bf16", "prompt": "p@1", name: other})

    with pytest.raises(ConfigError, match=f"{name}: fitted for .*{other}"):
        calibration().require(used, ["x"])


def test_a_calibration_is_refused_for_other_evidence_or_where_no_model_was_asked():
    with pytest.raises(ConfigError, match="features"):
        calibration().require(None, ["x", "y"])
    with pytest.raises(ConfigError, match="model"):
        calibration(with_llm=None).require(Provenance(model="m", quantization="bf16", prompt="p@1"), ["x"])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"fitted": {"model": 1}}', "\ufffe"])
def test_a_file_that_is_no_calibration_is_named(tmp_path, content):
    (tmp_path / "c").write_text(content, encoding="utf-8")

    with pytest.raises(InputError, match="not a calibration"):
        read_calibration(tmp_path / "c")
