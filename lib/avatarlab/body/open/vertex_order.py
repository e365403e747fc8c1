"""Anny's vertices in an order in which the numbers that SMPL-X programs hard-code fall on the same anatomy.

The smplx package appends 21 vertices to its joints by number and SMPL-Anthropometry measures between vertices by
number; only those some 45 vertices are exchanged with whatever stood there, all others keep Anny's order.
"""

import numpy as np

from avatarlab.body.layout import LANDMARKS

ANNY_VERTEX = {
    **{"nose": 5038, "leye": 13583, "reye": 13655, "lear": 12006, "rear": 5423},
    **{"lthumb": 9316, "lindex": 8563, "lmiddle": 8755, "lring": 8950, "lpinky": 9139},
    **{"rthumb": 2664, "rindex": 1911, "rmiddle": 2103, "rring": 2298, "rpinky": 2487},
    **{
        "LBigToe": 11519,
        "LSmallToe": 13248,
        "RBigToe": 4917,
        "RSmallToe": 6668,
        "LHeel": 12421,
        "LEFT_HEEL": 12878,
    },
    **{
        "HEAD_TOP": 881,
        "HEAD_LEFT_TEMPLE": 7686,
        "NECK_ADAM_APPLE": 791,
        "LEFT_NIPPLE": 8418,
        "RIGHT_NIPPLE": 1762,
    },
    **{
        "SHOULDER_TOP": 8141,
        "INSEAM_POINT": 4354,
        "CROTCH": 4356,
        "BELLY_BUTTON": 4100,
        "BACK_BELLY_BUTTON": 4165,
    },
    **{"PUBIC_BONE": 4313, "LEFT_WRIST": 10526, "RIGHT_WRIST": 3877, "RIGHT_BICEP": 1704, "RIGHT_FOREARM": 3398},
    **{"LEFT_SHOULDER": 8258, "RIGHT_SHOULDER": 1602, "LOW_LEFT_HIP": 11026, "LEFT_THIGH": 10913},
    **{"LEFT_CALF": 11310, "LEFT_ANKLE": 11408},
}
"""Landmark -> vertex of Anny's own topology (anny 0.6.2), each chosen by geometry on the T-pose and looked at: tips
farthest along their phalanx, nipples where breast-point moves most, navel where stomach-navel-out does, and so on. The
SHOULDERS stand for the acromia: 15 mm inside the most lateral top vertex, with which bideltoid came out 4 cm short.
RIGHT_HEEL and RHeel share one SMPL-X number; it gets the sole vertex, so that heights measured from it are right."""


def mirror(vertices: np.ndarray) -> np.ndarray:
    """Return for each vertex (V, 3) of the left-right symmetric mesh the index of its mirror image."""
    from scipy.spatial import cKDTree

    return cKDTree(vertices).query(vertices * [-1, 1, 1])[1]


def permutation(vertices: np.ndarray) -> np.ndarray:
    """Return ``order`` (V,) such that ``vertices[order]`` has every landmark at its SMPL-X number."""
    expected = {LANDMARKS[name]: vertex for name, vertex in ANNY_VERTEX.items()}
    expected[LANDMARKS["RIGHT_HEEL"]] = int(mirror(vertices)[ANNY_VERTEX["LEFT_HEEL"]])
    order = np.arange(len(vertices))
    place = np.arange(len(vertices))
    for number, vertex in expected.items():
        here, there = place[vertex], order[number]
        order[[number, here]] = vertex, there
        place[[vertex, there]] = number, here
    return order
