"""How real people stand when asked for an A-pose, and where the phone is that photographs them."""

import math

import numpy as np
import roma
import torch

from avatarlab.body import poses
from avatarlab.body.layout import JOINT, JOINT_NAMES
from avatarlab.render import Camera

VIEWS = ("front", "side", "side_arms")
"""``side`` has the arms where they were asked to be, ``side_arms`` where people let them hang: over the trunk."""

ARM_DOWN_DEG = {"front": (35.0, 55.0), "side": (45.0, 75.0), "side_arms": (66.0, 82.0)}
ARM_FORWARD = {"front": (-0.10, 0.12), "side": (-0.12, 0.15), "side_arms": (-0.15, 0.35)}
ELBOW = {"front": (0.05, 0.30), "side": (0.05, 0.30), "side_arms": (0.10, 0.90)}
"""Ranges of the arms' angles by view: degrees below horizontal, rad towards the front, rad of the elbow's bend."""
NOISE = {
    **{"spine1": 0.03, "spine2": 0.03, "spine3": 0.03, "neck": 0.06, "head": 0.06, "collar": 0.04},
    **{"hip": 0.03, "knee": 0.0, "ankle": 0.04, "wrist": 0.12, "foot": 0.0},
}
"""Standard deviation of each rotation component (rad), by judgement; A-pose photographs show turns of this size."""
HEAD_TURN = 0.18
SWAY = 0.07
"""Largest tilt of the pelvis (rad) with the weight on one leg; the other knee gives way."""
FREE_KNEE = 0.35
STANCE = (0.01, 0.10)
FINGER_CURL = (0.05, 0.35)

DISTANCE_M, EYE_M = (2.2, 4.0), (0.9, 1.6)
FOV_DEG = (40.0, 75.0)
"""Vertical angle of view of a phone held upright."""
FILL = (0.55, 0.92)
"""The person's share of the picture's height."""
PERSON_PX, HEIGHT_PX = (450, 600), (500, 820)
ASPECT = 0.75
MARGIN = 0.02
TURN_SD_DEG, SIDE_TURN_DEG = 4.0, 8.0
ROLL_SD_DEG = 1.2
TRIES = 200


def sloppy(chance: np.random.Generator, view: str) -> torch.Tensor:
    """Return a pose (55, 3) axis-angle rad for one of VIEWS: an A-pose as people hold it."""
    pose = np.zeros((len(JOINT_NAMES), 3))
    for name, joint in JOINT.items():
        pose[joint] = NOISE.get(name.removeprefix("left_").removeprefix("right_"), 0.0) * chance.standard_normal(3)
    pose[JOINT["head"], 1] += 0.7 * HEAD_TURN * chance.standard_normal()
    pose[JOINT["neck"], 1] += 0.3 * HEAD_TURN * chance.standard_normal()
    _arms(pose, chance, view)
    _legs(pose, chance)
    return torch.from_numpy(pose).float()


def _arms(pose: np.ndarray, chance: np.random.Generator, view: str) -> None:
    """Put both arms down, each a little differently, fingers slightly curled."""
    down, forward = chance.uniform(*ARM_DOWN_DEG[view]), chance.uniform(*ARM_FORWARD[view])
    bend = chance.uniform(*ELBOW[view])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        lowered = poses.apose(float(np.clip(down + chance.normal(0, 3), 20, 88)))
        pose[JOINT[f"{side}_collar"]] += lowered[JOINT[f"{side}_collar"]].numpy()
        swing = roma.rotvec_to_rotmat(torch.tensor([-forward + chance.normal(0, 0.05), 0.0, 0.0]).float())
        shoulder = swing @ roma.rotvec_to_rotmat(lowered[JOINT[f"{side}_shoulder"]])
        pose[JOINT[f"{side}_shoulder"]] = roma.rotmat_to_rotvec(shoulder).numpy()
        pose[JOINT[f"{side}_elbow"], 1] = -sign * max(0.0, bend + chance.normal(0, 0.06))
        curl = chance.uniform(*FINGER_CURL)
        for name, joint in JOINT.items():
            if name.startswith(side) and name[-1].isdigit() and "thumb" not in name:
                pose[joint, 2] = -sign * curl


def _legs(pose: np.ndarray, chance: np.random.Generator) -> None:
    """Stand with the feet apart and the weight more or less on one leg."""
    tilt = SWAY * chance.beta(1, 2) * chance.choice([-1.0, 1.0])
    pose[0, 2] = tilt  # positive: the left hip rises, so the left leg carries
    pose[0, 0] = chance.normal(0, 0.03)
    pose[JOINT["spine1"], 2] -= 0.7 * tilt
    free = "right" if tilt > 0 else "left"
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose[JOINT[f"{side}_hip"], 2] += -tilt + sign * chance.uniform(*STANCE)
        bend = FREE_KNEE * abs(tilt) / SWAY * chance.uniform(0.3, 1.0) if side == free else 0.0
        pose[JOINT[f"{side}_knee"], 0] = bend
        pose[JOINT[f"{side}_hip"], 0] -= 0.5 * bend
        pose[JOINT[f"{side}_ankle"], 0] -= 0.5 * bend


def camera(vertices: torch.Tensor, chance: np.random.Generator, view: str) -> Camera:
    """Return a phone's camera that has all of the person, vertices (V, 3) m with y up, in the picture."""
    low, high = vertices.amin(0).numpy(), vertices.amax(0).numpy()
    height = float(high[1] - low[1])
    distance, fill = _stand(chance, height)
    person_px = chance.uniform(*PERSON_PX)
    tall = int(np.clip(round(person_px / fill), *HEIGHT_PX))
    wide = round(ASPECT * tall)
    turn = _turn(chance, view)
    middle = (low + high) / 2 + [0, chance.normal(0, 0.03), 0]
    eye = middle + [distance * math.sin(turn), 0, distance * math.cos(turn)]
    eye[1] = low[1] + chance.uniform(*EYE_M)
    roll = math.radians(chance.normal(0, ROLL_SD_DEG))
    up = (math.cos(turn) * math.sin(roll), math.cos(roll), -math.sin(turn) * math.sin(roll))
    focal = fill * tall * distance / height
    aim = _framed(vertices, eye, middle, up, focal, wide, tall)
    return Camera.look_at(eye, middle, up=up, focal_px=aim, width=wide, height=tall)


def _stand(chance: np.random.Generator, height: float) -> tuple[float, float]:
    """Return the distance (m) and the person's share of the picture, such that the angle of view is a phone's."""
    for _ in range(TRIES):
        distance, fill = chance.uniform(*DISTANCE_M), chance.uniform(*FILL)
        fov = 2 * math.degrees(math.atan(height / 2 / fill / distance))
        if FOV_DEG[0] <= fov <= FOV_DEG[1]:
            break
    return distance, fill


def _turn(chance: np.random.Generator, view: str) -> float:
    """Return where the camera stands about the vertical, rad: 0 in front, positive at the person's left."""
    if view == "front":
        return math.radians(chance.normal(0, TURN_SD_DEG))
    return math.radians(chance.choice([-90.0, 90.0]) + chance.uniform(-SIDE_TURN_DEG, SIDE_TURN_DEG))


def _framed(vertices: torch.Tensor, eye, middle, up, focal: float, wide: int, tall: int) -> float:
    """Return the focal length (px), shortened where a hand or foot would leave the picture."""
    seen = Camera.look_at(eye, middle, up=up, focal_px=focal, width=wide, height=tall).project(vertices)[0]
    half = torch.tensor([wide / 2, tall / 2])
    reach = ((seen - half).abs() / half).max()
    return focal * min(1.0, (1 - 2 * MARGIN) / float(reach))
