"""The first guess in use: from targets to a start of the search."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from avatarlab.body import poses
from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.search import Search
from avatarlab.fit.estimator.shape import prior
from avatarlab.fit.estimator.target import target
from avatarlab.fit.regressor.data import Sampler
from avatarlab.fit.regressor.extended_shapes import extend_shapes
from avatarlab.fit.regressor.linear_init import fit_linear_init
from avatarlab.fit.regressor.model import Regressor
from avatarlab.fit.regressor.predict import (
    FirstGuess,
    Guess,
    choose_guess,
    first_guess,
    groups,
    shows_whole_person,
)
from avatarlab.learn import weights

CARD = {"data": "made up", "parameters": {"width": 8}, "commit": "", "metrics": {}, "licence": "Apache-2.0"}


@pytest.fixture(scope="session")
def targets(observed):
    return tuple(target(one) for one in observed.values())


@pytest.fixture(scope="session")
def file(body, tmp_path_factory):
    """Weights of a network that knows only its line, through 48 people."""
    torch.manual_seed(0)
    network = Regressor(8)
    fit_linear_init(network, Sampler(extend_shapes(body)).batch(3, 48), seed=1)
    path = tmp_path_factory.mktemp("weights") / "first_guess.safetensors"
    weights.save(path, network.eval().state_dict(), {**CARD, "bases": {"body": body.bases["body"]}})
    return path


def test_a_guess_is_a_start_of_the_search(body, person, targets, file):
    found = first_guess(targets, person.subject, body, file)
    assert found.betas.shape == (48,) and found.covariance.shape == (48, 48) and len(found.views) == 2
    assert set(found.tapes_m) == set(found.tape_sd_m) == set(person.tapes_cm)
    assert found.tapes_m["stature"] == pytest.approx(person.stature_m, abs=0.1)
    looking = Search(body, targets, person.stature_m, prior(body, person.sex))
    assert looking.started(found).betas.isfinite().all()


def test_the_distance_follows_from_stature_and_height(body, person, targets, file):
    found = first_guess(targets, person.subject, body, file)
    for view, aim in zip(found.views, targets, strict=True):
        assert float(view.shift[2]) == pytest.approx(aim.focal_px * person.stature_m / aim.person_px, rel=0.1)
        assert float(view.log_focal.exp()) == pytest.approx(aim.focal_px, rel=1e-4)
        assert torch.equal(view.pose[22:], poses.standing()[22:]) and not view.pose[0].any()


def test_the_order_of_views_does_not_matter(body, person, targets, file):
    heavy = replace(person.subject, weight_kg=80.0)
    there = first_guess(targets, heavy, body, file)
    back = first_guess(targets[::-1], heavy, body, file)
    assert torch.equal(there.betas, back.betas) and torch.equal(there.views[0].shift, back.views[1].shift)


def test_weight_and_sex_are_evidence(body, person, targets, file):
    pred = {
        (kg, sex): first_guess(targets, Subject(person.stature_m, kg, sex), body, file).tapes_m["waist"]
        for kg, sex in ((None, "unknown"), (60.0, "unknown"), (110.0, "unknown"), (None, "female"))
    }
    assert pred[110.0, "unknown"] > pred[60.0, "unknown"] and len(set(pred.values())) == 4


def test_a_later_guess_is_one_look_of_the_network_and_no_read(body, person, targets, file, monkeypatch):
    """Its time is bench/bench_fit.py's affair; here, what it costs: both views at once, weights and turn kept."""
    first_guess(targets, person.subject, body, file)
    looks, forward = [], Regressor.forward
    monkeypatch.setattr(Regressor, "forward", lambda *given: looks.append(1) or forward(*given))
    monkeypatch.setattr(weights, "load", lambda *_: pytest.fail("read again"))
    first_guess(targets, person.subject, body, file)
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("slots", "expected"), [([0], [[0]]), ([0, 1], [[0, 1]]), ([1, 0], [[0, 1]]), ([0, 0], [[0], [1]])]
)
def test_views_are_seen_together_where_there_is_a_slot(slots, expected):
    assert groups(slots) == expected


def test_two_front_views_get_a_view_each(body, person, targets, file):
    found = first_guess((targets[0], targets[0]), person.subject, body, file)
    assert torch.equal(found.views[0].shift, found.views[1].shift)


def test_another_body_gets_pose_and_camera_only(body, person, targets, file, monkeypatch):
    monkeypatch.setitem(body.bases, "body", "another's")
    found = FirstGuess.load(file)(targets, person.subject, body)
    assert found.betas is None and found.covariance is None and len(found.views) == 2


def test_missing_weights_say_so(body, person, targets, tmp_path):
    with pytest.raises(InputError, match="no such weights"):
        first_guess(targets, person.subject, body, tmp_path / "first_guess.safetensors")


class Hostile:
    """Unpickling this would write a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_not_opened(tmp_path):
    trap, path = tmp_path / "sprung", tmp_path / "first_guess.safetensors"
    path.write_bytes(pickle.dumps(Hostile(trap)))
    with pytest.raises(InputError, match="damaged"):
        FirstGuess.load(path)
    assert not trap.exists()


def test_weights_of_another_network_are_refused(file, tmp_path):
    tensors, card = weights.load(file)
    for wrong in ({**tensors, "line": torch.zeros(3, 2, 1)}, {k: v for k, v in tensors.items() if k != "line"}):
        path = tmp_path / "first_guess.safetensors"
        weights.save(path, wrong, card)
        with pytest.raises(InputError, match="another network"):
            FirstGuess.load(path)


def test_who_decides_where_to_start(body, person, targets, file, tmp_path):
    mine = Guess(None, None, ())
    args = (targets, person.subject, body)
    assert choose_guess(mine, *args) is mine and choose_guess("starts", *args) is None
    assert choose_guess(None, *args, weights=tmp_path / "none.safetensors") is None
    assert isinstance(choose_guess(None, *args, weights=file), Guess)
    photos = tuple(replace(t, observation=replace(t.observation, capture="photo")) for t in targets)
    assert choose_guess(None, photos, *args[1:], weights=file) is None
    assert isinstance(choose_guess("network", photos, *args[1:], weights=file), Guess)
    with pytest.raises(InputError, match="no such weights"):
        choose_guess("network", *args, weights=tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="expected a Guess"):
        choose_guess("oracle", *args)


def test_half_a_person_is_left_to_the_starts(body, person, targets, file):
    cropped = replace(targets[0], seen=targets[0].seen.clone())
    cropped.seen[25:] = 0
    assert shows_whole_person(targets[0]) and not shows_whole_person(cropped)
    assert choose_guess(None, (cropped,), person.subject, body, weights=file) is None
