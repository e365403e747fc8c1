"""From the search to the answer: the body measures the estimate, spreads agree, what is missing falls back and says so."""

from dataclasses import replace

import pytest
import torch
from simulated import records

from avatarlab.body import poses
from avatarlab.core.errors import InputError
from avatarlab.fit import fit
from avatarlab.fit.estimator.map_estimate import search
from avatarlab.fit.estimator.posterior import TAPES
from avatarlab.fit.estimator.posterior_update import load_posterior, update_posterior
from avatarlab.fit.estimator.project_to_tapes import tapes_of
from avatarlab.fit.train.crossvalidation import learned as taught
from avatarlab.learn import weights
from avatarlab.measure import MEASURES, measure, tapes

CARD = {"data": "made up", "parameters": {}, "commit": "", "metrics": {}, "licence": "none"}


@pytest.fixture(scope="module")
def posterior():
    """Learned on made-up records of studio masks whose readings are 2 % of a standard deviation off, not more."""
    given = {"capture": "studio", "noise": 0.2, "gain": 0.95, "offset": 0.1}
    return taught(records("train", 20, 1, **given) + records("calibration", 20, 2, **given), CARD)


@pytest.fixture(scope="module")
def found(body, person, observed):
    return search(tuple(observed.values()), person.subject, body, steps=3)


@pytest.fixture(scope="module")
def ended(found, person, posterior):
    return update_posterior(found, person.subject, posterior)


def test_the_body_measures_the_estimate(body, ended, person):
    with torch.no_grad():
        mesh = tapes(body, body(betas=ended.body.betas, pose=poses.standing()).vertices)
    for name in MEASURES:
        assert float(mesh[name]) == pytest.approx(ended.estimate.value_m[name], abs=0.003), name
    assert float(mesh["stature"]) == pytest.approx(person.stature_m, abs=1e-4)
    assert max(abs(ended.readings.value[name] - ended.estimate.value_m[name]) for name in TAPES) > 0.003


def test_the_body_s_covariance_says_what_the_intervals_say(body, ended):
    slope = tapes_of(body, ended.body.betas).slope
    sd = ((slope @ ended.body.covariance) * slope).sum(1).clamp_min(0).sqrt()
    expected = torch.tensor([ended.estimate.sd_m[name] for name in MEASURES])
    assert (sd - expected).abs().max() < 1e-4
    assert torch.linalg.eigvalsh(ended.body.covariance)[0] > -1e-9


def test_weight_moves_answer_and_body_but_not_the_readings(body, found, person, posterior, ended):
    light, heavy = (
        update_posterior(found, replace(person.subject, weight_kg=kg), posterior) for kg in (50.0, 90.0)
    )
    assert heavy.readings == light.readings == ended.readings
    assert heavy.estimate.value_m["hip"] > light.estimate.value_m["hip"] + 0.01
    assert tapes_of(body, heavy.body.betas).value[4] > tapes_of(body, light.body.betas).value[4] + 0.01


def test_without_a_posterior_mesh_and_laplace_speak(found, person, ended):
    end = update_posterior(found, person.subject, None)
    assert not end.estimate.calibrated and ended.estimate.calibrated
    assert end.estimate.value_m["waist"] == end.readings.value["waist"]
    assert end.estimate.sd_m["waist"] == pytest.approx(end.readings.sd["waist"])
    assert torch.equal(end.body.betas, found.state.betas)


def test_an_unknown_way_of_capture_falls_back_too(found, person, posterior):
    other = replace(posterior, optics={key: x for key, x in posterior.optics.items() if key[1] != "studio"})
    assert not update_posterior(found, person.subject, other).estimate.calibrated


def test_a_weight_counts_without_a_posterior_too(found, person):
    light, heavy = (
        update_posterior(found, replace(person.subject, weight_kg=kg), None).readings.value["weight"]
        for kg in (50.0, 90.0)
    )
    assert heavy > light + 2


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Where ``load_posterior`` looks for the posterior."""
    path = tmp_path / "posterior.safetensors"
    monkeypatch.setattr(weights, "find", lambda *_: path)
    return path


def test_another_body_or_no_file_is_no_posterior(body, posterior, published, monkeypatch):
    assert load_posterior(body, "pretrained") is None
    replace(posterior, card={**posterior.card, "bases": {"body": body.bases["body"]}}).save(published)
    assert load_posterior(body, "pretrained").factors.keys() == posterior.factors.keys()
    monkeypatch.setitem(body.bases, "body", "somebody else's")
    assert load_posterior(body, "pretrained") is None


def test_a_damaged_file_is_no_fallback(body, published):
    published.write_bytes(b"rubbish")
    with pytest.raises(InputError, match="damaged weights"):
        load_posterior(body, "pretrained")


def test_fit_reports_the_posterior(body, person, observed, posterior, monkeypatch):
    monkeypatch.setattr("avatarlab.fit.fitting.load_posterior", lambda *_: posterior)
    result = fit(tuple(observed.values()), person.subject, body, steps=1)
    quality = result.quality
    assert quality.calibrated and result.readings.inputs == "front_side"
    table = measure(body, result.person).measures
    for name in MEASURES:
        low, high = quality.interval_cm[name]
        assert (low + high) / 2 == pytest.approx(table[name].value, abs=0.3) and table[name].interval == (
            low,
            high,
        )
        assert (high - low) / 2 == pytest.approx(1.645 * quality.tape_sd_cm[name], abs=0.02)
    assert quality.stature_residual_mm < 0.1
    assert result.person.blocks["body"].covariance.shape == (48, 48)


def test_cut_photos_withhold(body, person, observed, posterior):
    from avatarlab.photo import Finding

    cut = replace(observed["front"], findings=(Finding("feet_cut", "The feet are cut off."),))
    end = update_posterior(search((cut,), person.subject, body, steps=1), person.subject, None)
    assert end.estimate.withheld["ankle"] == "the feet are not in the picture"
