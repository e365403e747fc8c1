import math

import pytest
import torch
from mannequin import Mannequin

from avatarlab.core.errors import InputError
from avatarlab.measure.result import check_closed, check_standing


def turned(vertices: torch.Tensor, degrees: float) -> torch.Tensor:
    """Lean a body backwards about the x axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return vertices @ torch.tensor([[1.0, 0, 0], [0, c, s], [0, -s, c]])


def arms_level(doll) -> torch.Tensor:
    """Bring every arm vertex to shoulder height, as in a T-pose."""
    arms = torch.tensor([part.endswith(("arm", "hand")) for part in doll.parts])[doll.part]
    raised = doll.template.clone()
    raised[arms, 0] += (1.42 - raised[arms, 1]) * raised[arms, 0].sign()
    raised[arms, 1] = 1.42
    return raised


def knee_bent(doll) -> torch.Tensor:
    """Push both shins backwards below the knee."""
    below = doll.template[:, 1] < 0.47
    bent = doll.template.clone()
    bent[below, 2] -= 0.47 - bent[below, 1]
    return bent


def test_a_standing_body_passes(doll):
    check_standing(doll, doll.template)


def test_the_open_body_in_its_standing_pose_passes(open_body, people):
    for vertices in people:
        check_standing(open_body, vertices)


@pytest.mark.parametrize(
    "change,sentence",
    [
        (lambda doll: doll.template[:-1], "measure with the body that the mesh was made with"),
        (lambda doll: doll.template[None], "vertices: got shape"),
        (lambda doll: doll.template * float("nan"), "vertices: contain NaN or infinity"),
        (lambda doll: doll.template * 100, "Are the vertices in metres"),
        (lambda doll: turned(doll.template, 30), "leans (29|30) degrees"),
        (lambda doll: turned(doll.template, 90), "leans (89|90) degrees"),
        (arms_level, "arm hangs"),
        (knee_bent, "knee is bent"),
    ],
)
def test_what_is_refused(doll, change, sentence):
    with pytest.raises(InputError, match=sentence):
        check_standing(doll, change(doll))


def without_face_of(doll, part: str) -> Mannequin:
    """The doll with one triangle of a part missing."""
    of_part = (doll.part[doll.faces] == doll.parts.index(part)).all(1)
    kept = torch.ones(len(doll.faces), dtype=torch.bool)
    kept[of_part.nonzero()[7, 0]] = False
    return Mannequin(**{**vars(doll), "faces": doll.faces[kept]})


def test_an_open_mesh_is_refused_where_tapes_run(doll):
    with pytest.raises(InputError, match=r"mesh: open at the trunk \(3 edges"):
        check_closed(without_face_of(doll, "trunk"))
    with pytest.raises(InputError, match="mesh: open at the l_calf"):
        check_standing(without_face_of(doll, "l_calf"), doll.template)


def test_open_eyelids_are_none_of_the_tapes_business(doll):
    check_closed(without_face_of(doll, "head"))
