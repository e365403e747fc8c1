import numpy as np
import pytest
import torch
from strangers import REST

from avatarlab.body.open.walk import WalkCycle
from avatarlab.core.errors import InputError
from avatarlab.motion.data.cleaning import FASTEST_M_S, LIMITS, speeds
from avatarlab.motion.data.procedural import (
    CYCLE,
    DEEDS,
    HELD_OUT,
    PEOPLE,
    STANCE,
    Choreography,
    Performer,
    clips,
    smooth,
    stand,
    there_and_back,
    walk,
)
from avatarlab.motion.rotations import heading
from avatarlab.motion.skeleton import JOINT, Skeleton

STAGE = Choreography(Skeleton(torch.tensor(REST).float()), 0.03)
FEET = [JOINT["left_foot"], JOINT["right_foot"]]
WHO = Performer.drawn(3, 7)


@pytest.fixture(scope="module")
def everything():
    pytest.importorskip("anny")
    return clips(STAGE, 7)


def positions_of(motion) -> np.ndarray:
    return STAGE.skeleton.fk(*motion)[1].numpy()


def test_nothing_jumps_sinks_or_stands_in_the_air(everything):
    for name, _, _, motion in everything:
        positions = positions_of(motion)
        turning, moving = speeds(motion, 60)
        assert (turning <= LIMITS).all() and (moving < FASTEST_M_S / 4).all(), name
        lowest = positions[:, FEET, 2].min(1)
        assert lowest.min() > 0.03 - 0.012 and lowest.max() < 0.12, name
        assert (positions[:, JOINT["head"], 2] > 0.5).all(), name


def test_knees_bend_forwards_and_backs_do_not_break(everything):
    for name, _, _, motion in everything:
        flexion = motion.rotations[:, [JOINT["left_knee"], JOINT["right_knee"]]]
        assert (flexion[..., 1, 2] < 0.05).all(), name  # R about +x lifts the shin behind: the sine is -R[1, 2]


def test_all_people_are_there_and_differ(everything):
    assert (
        {subject for _, subject, _, _ in everything} == {f"made{k}" for k in range(1, PEOPLE + 1)} >= {*HELD_OUT}
    )
    assert len({name for name, *_ in everything}) == len(everything)
    walks = [motion for name, _, _, motion in everything if name.endswith("straight")]
    assert min((a.trans - b.trans).abs().max() for k, a in enumerate(walks) for b in walks[:k]) > 0.05
    minutes = sum(len(motion.trans) for *_, motion in everything) / 3600
    assert 3 < minutes < 10


def test_the_same_seed_moves_alike():
    a, b, c = (walk(STAGE, Performer.drawn(1, seed), 2.0).motion(STAGE.skeleton) for seed in (7, 7, 8))
    assert torch.equal(a.rotations, b.rotations) and not torch.equal(a.rotations, c.rotations)


def test_a_standing_foot_does_not_slide():
    puppet = walk(STAGE, WHO, 4.0, bow=0.6)
    positions = positions_of(puppet.motion(STAGE.skeleton))
    phase = WHO.tempo * np.arange(240) / 60
    for foot, shift in zip(FEET, (0.0, 0.5), strict=True):
        stands = ((phase + shift) % 1 < STANCE - 0.02) & ((phase + shift) % 1 > 0.15)
        slid = np.linalg.norm(np.diff(positions[:, foot], axis=0), axis=1)[stands[1:] & stands[:-1]]
        assert slid.max() < 1e-4


def test_walking_goes_where_it_faces_and_turning_stays():
    straight = walk(STAGE, WHO, 3.0)
    assert (
        straight.pelvis[-1, 1] == pytest.approx(-WHO.stride * WHO.tempo * (179 / 60))
        and abs(straight.pelvis[-1, 0]) < 0.1
    )
    turned = walk(STAGE, WHO, 3.0, bow=1.0, length=0.0)
    yaw = heading(turned.motion(STAGE.skeleton).rotations[:, 0]).numpy()
    assert np.unwrap(yaw)[-1] == pytest.approx(WHO.tempo * 179 / 60, abs=0.15)
    assert np.linalg.norm(turned.pelvis[:, :2], axis=1).max() < 0.1


@pytest.mark.parametrize("name", DEEDS)
def test_tasks_begin_and_end_standing(name):
    rng = np.random.default_rng(0)
    puppet = DEEDS[name](STAGE, WHO, rng)
    upright = stand(STAGE, WHO, np.zeros(1))
    assert np.allclose(puppet.pelvis[[0, -1]], upright.pelvis, atol=0.02)
    assert np.ptp(np.array(puppet.balls), axis=0).max() == 0


def test_curves_by_hand():
    assert np.allclose(smooth(np.array([-1, 0, 0.5, 1, 2])), [0, 0, 0.5, 1, 1])
    t, done = there_and_back(3.0, 1.5)
    assert len(t) == 120 and done[0] == done[-1] == 0 and done.max() == 1


def test_the_cycle_closes_and_goes_on():
    pytest.importorskip("anny")
    walked, phase = WalkCycle.load(), np.array([0.0, 0.3, 1.0, 1.3])
    assert 0.8 < walked.stride < 1.3  # leg lengths in two slow steps
    for name in ("pelvis", "left_ankle", "right_ankle"):
        positions = walked.positions(name, phase)
        assert np.allclose(positions[2:] - positions[:2], [0, walked.stride, 0])
    dense = np.linspace(0, 1, 200, endpoint=False)
    feet = [walked.positions(f"{side}_ankle", dense) for side in ("left", "right")]
    assert all(np.ptp(foot[:, 2]) < 0.25 for foot in feet)
    lifted = [dense[foot[:, 2].argmax()] for foot in feet]
    assert abs(abs(lifted[0] - lifted[1]) - 0.5) < 0.06  # half a stride apart
    assert np.allclose(walked.rotations(phase[:2]), walked.rotations(phase[2:]))


def test_without_anny_the_cycle_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="anny: is not installed"):
        WalkCycle.load()


def test_one_source_is_kept_for_the_cross_split(everything):
    assert {source for _, _, source, _ in everything} > {CYCLE}
