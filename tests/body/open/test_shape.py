import numpy as np
import pytest

from avatarlab.body.open import shape


@pytest.fixture(scope="module")
def population():
    """Bodies of two sexes that are linear in 60 hidden scores, 3 of which are taped."""
    rng = np.random.default_rng(0)
    modes = rng.standard_normal((60, 200, 3)) * (0.9 ** np.arange(60))[:, None, None]
    scores = {"male": rng.standard_normal((150, 60)), "female": rng.standard_normal((150, 60))}
    scores["female"][:, 0] -= 1.0
    return modes, scores


@pytest.fixture(scope="module")
def learned(population):
    modes, scores = population
    points = {sex: np.tensordot(s, modes, 1) for sex, s in scores.items()}
    space = shape.learn(np.concatenate(list(points.values())))
    tapes = {sex: s[:, :3] for sex, s in scores.items()}
    mean = {"male": np.zeros(3), "female": np.array([-1.0, 0, 0])}
    priors = {s: shape.prior(space.scores(points[s]), tapes[s], mean[s], np.eye(3)) for s in points}
    return space, priors, points


def test_components_reproduce_the_bodies(learned):
    space, _, points = learned
    for bodies in points.values():
        back = space.mean + space.scores(bodies) @ space.basis.T
        assert np.linalg.norm(back.reshape(bodies.shape) - bodies, axis=2).mean() < 0.1 * bodies.std()
    assert space.basis.shape == (600, shape.COMPONENTS)


def test_both_sexes_together_are_white(learned):
    _, priors = shape.whiten(*learned[:2])
    mean = np.mean([p.mean for p in priors.values()], 0)
    second = np.mean([p.covariance + np.outer(p.mean, p.mean) for p in priors.values()], 0)
    assert mean == pytest.approx(np.zeros(48), abs=1e-8)
    assert second == pytest.approx(np.eye(48), abs=1e-5)


def test_whitening_moves_no_body(learned):
    space, priors, points = learned
    white, moved = shape.whiten(space, priors)
    for sex, p in priors.items():
        before = space.mean + space.basis @ p.mean
        assert white.mean + white.basis @ moved[sex].mean == pytest.approx(before, abs=1e-8)
    assert np.all(np.diff(np.square(white.basis * shape.metric(600)[:, None]).sum(0)) <= 1e-9)


def test_prior_has_the_populations_tapes_not_the_samples():
    rng = np.random.default_rng(1)
    tapes = 1.5 * rng.standard_normal((4000, 2))  # tails over-sampled
    scores = np.concatenate([tapes, rng.standard_normal((4000, 46))], 1)
    found = shape.prior(scores, tapes, np.zeros(2), np.eye(2))
    assert np.diag(found.covariance)[:2] == pytest.approx([1, 1], abs=0.02)
    assert np.diag(found.covariance)[2:] == pytest.approx(np.ones(46), abs=0.12)


def test_learning_is_deterministic(population):
    modes, scores = population
    bodies = np.tensordot(scores["male"], modes, 1)
    assert np.array_equal(shape.learn(bodies).basis, shape.learn(bodies.copy()).basis)


def test_signs_do_not_hang_on_which_side_is_larger():
    """Left and right move apart in x by amounts that differ in their last digits, either way round."""
    rng = np.random.default_rng(2)
    side = rng.standard_normal((30, 3, 4))
    mirrored = side * np.array([-1.0, 1.0, 1.0])[None, :, None]
    for hair in (1e-12, -1e-12):
        basis = np.concatenate([side * (1 + hair), mirrored]).reshape(-1, 4)
        turned = basis * [1, -1, 1, -1]
        assert np.array_equal(basis * shape.signs(basis), turned * shape.signs(turned))
        assert np.array_equal(shape.signs(basis), shape.signs(np.concatenate([side, mirrored]).reshape(-1, 4)))


def test_a_turned_start_gives_the_same_components(learned):
    space, priors, _ = learned
    turn, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((48, 48)))
    turned = shape.ShapeSpace(space.mean, space.basis @ turn, space.residual)
    moved = {s: shape.SexPrior(turn.T @ p.mean, turn.T @ p.covariance @ turn) for s, p in priors.items()}
    one, other = shape.whiten(space, priors)[0], shape.whiten(turned, moved)[0]
    assert np.abs(one.basis - other.basis).max() < 1e-6 * np.abs(one.basis).max()
