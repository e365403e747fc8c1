import numpy as np
import torch

from avatarlab.body import poses
from avatarlab.body.open import raw
from avatarlab.measure import MEASURES, tape
from avatarlab.synthetic import matching
from avatarlab.synthetic.participant import STEP_M


def test_bodies_have_the_tapes_they_claim(crowd):
    off_mm = 1000 * np.abs(crowd.all.arrays["mesh"] - crowd.all.arrays["truth"])
    girths = off_mm[:, matching.GIRTHS]
    assert girths.mean() < 2.0
    assert off_mm[:, [MEASURES.index(name) for name in ("chest", "waist", "hip")]].max() < 8.0
    assert off_mm[:, MEASURES.index("stature")].max() < 5.0


def test_what_is_claimed_of_a_mesh_is_what_a_tape_finds_on_it(open_body, anny, crowd):
    standing = matching.rotations(poses.standing()[None])
    points = torch.from_numpy(anny.posed(crowd.theta[1], standing))
    found = {name: float(value[0]) for name, value in tape.tapes(open_body, points).items()}
    assert found == crowd.all[1].mesh_m or all(abs(found[n] - crowd.all[1].mesh_m[n]) < 1e-5 for n in MEASURES)


def test_bodies_lie_outside_the_span_of_the_open_body(open_body, anny, crowd):
    still = matching.rotations(poses.tpose()[None])
    for number, person in enumerate(crowd.all):
        truth = torch.from_numpy(anny.posed(crowd.theta[number], still)[0, : open_body.skin_count])
        nearest = open_body(betas=person.betas).vertices[: open_body.skin_count]
        trunk = open_body.part[: open_body.skin_count] == open_body.parts.index("trunk")
        assert 1000 * (truth - nearest).norm(dim=1).mean() > 2.0
        assert 1000 * (truth - nearest)[trunk].norm(dim=1).mean() > 1.5


def test_projection_is_the_nearest_body_there_is(open_body, anny, crowd):
    still = matching.rotations(poses.tpose()[None])
    truth = torch.from_numpy(anny.posed(crowd.theta[0], still)[0])
    near = crowd.all[0].betas
    best = (truth - open_body(betas=near).vertices).square().sum()
    nudges = 0.05 * torch.eye(len(near))[:10]
    around = open_body(betas=torch.cat([near + nudges, near - nudges])).vertices
    assert ((truth - around).square().sum((1, 2)) > best).all()


def test_the_search_leaves_nuisances_where_they_were_drawn(anny, crowd):
    start = matching.starts(anny, crowd.rows, 3)
    moved = (crowd.theta - start)[:, -len(raw.FURTHER) :].abs().max()
    assert moved < 0.01
    assert (crowd.theta - start)[:, : -len(raw.FURTHER)].abs().max() > 0.05


def test_joints_and_vertices_are_kept_to_a_twentieth_of_a_millimetre(anny, crowd):
    person = crowd.all[2]
    shot = person.shots["front"]
    exact = anny.posed(crowd.theta[2], matching.rotations(shot.pose[None]))[0]
    assert np.abs(exact[: len(shot.vertices)] - shot.vertices.numpy()).max() <= 0.51 * STEP_M
    assert np.abs(raw.markers(exact) - shot.joints.numpy()).max() < 1e-5
