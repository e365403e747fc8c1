"""What a body must be before a tape is laid on it, and one clear sentence when it is not."""

import torch

from avatarlab.core.errors import InputError, number
from avatarlab.measure.anchors import SEAMS, Topology, centre, topology

ARMS_DOWN_DEG = (55.0, 89.0)
"""Upper arms below the horizontal, degrees: higher overstates the chest, lower merges arm and trunk."""
KNEE_DEG, LEAN_DEG = 25.0, 15.0
UNCUT_PARTS = ("head", "jaw", "l_eye", "r_eye")
"""Where the mesh may be open (eyelids, mouth of some body files): no tape runs there but the head's, higher up."""


def check_standing(body, vertices: torch.Tensor) -> None:
    """Raise InputError unless vertices (V, 3) m are this body's, finite, closed, upright, arms down."""
    topo = topology(body)
    if tuple(vertices.shape) != (topo.vertex_count, 3):
        raise InputError(
            f"vertices: got shape {tuple(vertices.shape)}, this body has ({topo.vertex_count}, 3); "
            "measure with the body that the mesh was made with."
        )
    if not bool(torch.isfinite(vertices).all()):
        raise InputError("vertices: contain NaN or infinity; the fit or the file they come from is broken.")
    check_closed(body)
    with torch.no_grad():
        _check_upright(topo, vertices[None])
        _check_pose(topo, vertices[None])


def check_closed(body) -> None:
    """Raise InputError if the mesh of ``body`` has an open or a shared edge where tapes are laid."""
    topo = topology(body)
    wrong = topo.part[topo.open_edges]
    spared = [topo.parts.index(name) for name in UNCUT_PARTS if name in topo.parts]
    wrong = wrong[~torch.isin(wrong, wrong.new_tensor(spared)).any(1)]
    if len(wrong):
        where = topo.parts[int(wrong[0, 0])]
        raise InputError(
            f"mesh: open at the {where} ({len(wrong)} edges there or elsewhere do not join two faces); "
            "tapes need a closed surface."
        )


def _check_upright(topo: Topology, vertices: torch.Tensor) -> None:
    tall = (centre(topo, vertices, ("HEAD_TOP",)) - centre(topo, vertices, ("sole",)))[0]
    number("stature", round(float(tall.norm()), 3), 0.4, 2.8, "metres", "Are the vertices in metres?")
    lean = float(torch.rad2deg(torch.acos(tall[1] / tall.norm())))
    if lean > LEAN_DEG:
        raise InputError(
            f"body: leans {lean:.0f} degrees from the y axis, expected at most {LEAN_DEG:.0f}; stand it up."
        )


def _check_pose(topo: Topology, vertices: torch.Tensor) -> None:
    at = {name: centre(topo, vertices, (name,))[0] for name in SEAMS}
    for side, word in (("l", "left"), ("r", "right")):
        upper, fore = at[f"{side}_elbow"] - at[f"{side}_shoulder"], at[f"{side}_wrist"] - at[f"{side}_elbow"]
        down = float(torch.rad2deg(torch.asin(-upper[1] / upper.norm())))
        if not ARMS_DOWN_DEG[0] <= down <= ARMS_DOWN_DEG[1] or fore[1] > 0:
            raise InputError(
                f"body: the {word} arm hangs {down:.0f} degrees below the horizontal, expected "
                f"{ARMS_DOWN_DEG[0]:.0f} to {ARMS_DOWN_DEG[1]:.0f} and the forearm down; "
                "pose it with poses.standing()."
            )
        thigh, shin = at[f"{side}_knee"] - at[f"{side}_hip"], at[f"{side}_ankle"] - at[f"{side}_knee"]
        bend = float(torch.rad2deg(torch.acos(torch.cosine_similarity(thigh, shin, 0).clamp(-1, 1))))
        if bend > KNEE_DEG:
            raise InputError(
                f"body: the {word} knee is bent {bend:.0f} degrees, expected at most {KNEE_DEG:.0f}; "
                "pose it with poses.standing()."
            )
