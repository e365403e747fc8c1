import pytest
import torch

from avatarlab.core.errors import InputError
from avatarlab.measure.anchors import centre, locate, topology, unique_edges


def test_edges_are_counted_once():
    edges, uses = unique_edges(torch.tensor([[0, 1, 2], [2, 1, 3]]))
    assert edges.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]] and uses.tolist() == [1, 1, 2, 1, 1]


def test_rings_lie_between_their_parts(doll):
    topo, batch = topology(doll), doll.template[None]
    for name, height in (("neck_base", 1.4675), ("skull_base", 1.5375), ("l_knee", 0.475), ("r_ankle", 0.075)):
        assert float(locate(topo, batch, name)[0, 1]) == pytest.approx(height, abs=0.003)
    assert float(locate(topo, batch, "l_elbow")[0, 0]) == pytest.approx(
        -float(locate(topo, batch, "r_elbow")[0, 0])
    )


def test_joints_sole_and_buttock(doll):
    topo, batch = topology(doll), doll.template[None]
    assert locate(topo, batch, "joint:spine3")[0].tolist() == pytest.approx([0, 1.2, 0])
    assert float(locate(topo, batch, "sole")[0, 1]) == 0
    assert float(locate(topo, batch, "buttock")[0, 1]) == pytest.approx(0.92, abs=0.004)
    assert centre(topo, batch, ("LEFT_NIPPLE", "RIGHT_NIPPLE"))[0, 0].item() == pytest.approx(0, abs=1e-5)


def test_a_missing_landmark_is_named(doll):
    with pytest.raises(InputError, match="THIRD_EYE: the body file has no such landmark"):
        locate(topology(doll), doll.template[None], "THIRD_EYE")


def test_topology_is_made_once_per_body(doll):
    assert topology(doll) is topology(doll)


def test_a_side_keeps_one_half(doll):
    nodes, edges = topology(doll).band(("r_thigh", "trunk"), "r")
    assert float(doll.template[nodes, 0].max()) <= 1e-4 and int(edges.max()) < len(nodes)
