import torch

from avatarlab.render.outline import contour, crossings, edges_of
from avatarlab.render.screen import to_screen

CUBE = torch.tensor([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
CUBE_FACES = torch.tensor(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4]]
    + [[1, 5, 7], [1, 7, 3]]
)


def test_a_cube_has_eighteen_edges_with_two_faces_each():
    edges = edges_of(CUBE_FACES)
    assert len(edges.ends) == 18 and edges.manifold.all()
    assert (edges.ends[:, 0] < edges.ends[:, 1]).all() and (edges.sides[:, 0] != edges.sides[:, 1]).all()
    for ends, sides in zip(edges.ends.tolist(), edges.sides.tolist(), strict=True):
        assert all(set(ends) <= set(CUBE_FACES[side].tolist()) for side in sides)


def test_edges_are_kept_until_the_faces_are_written_to():
    faces = CUBE_FACES.clone()
    before = edges_of(faces)
    assert edges_of(faces) is before
    faces[0] = faces[1]
    assert edges_of(faces) is not before and not edges_of(faces).manifold.all()


def test_edges_of_nothing_and_in_inference_mode():
    assert len(edges_of(torch.zeros(0, 3, dtype=torch.int64)).ends) == 0
    with torch.inference_mode():
        assert len(edges_of(CUBE_FACES.clone()).ends) == 18


def test_the_contour_of_a_cube_seen_from_the_front_is_its_front_square(camera):
    vertices = CUBE + torch.tensor([0, 0, 4.0])
    ends = contour(vertices, CUBE_FACES, camera, to_screen(vertices, CUBE_FACES, camera))
    lengths = (ends[:, 1] - ends[:, 0]).norm(dim=-1)
    assert len(ends) == 4 and torch.allclose(lengths, torch.full((4,), 100 / 3).double(), atol=1e-3)


def test_crossings_of_one_slanted_edge():
    found = crossings(torch.tensor([[[2.0, 1.0], [8.0, 4.0]]]).double(), axis=0, lines=10)
    assert found.line.tolist() == [1, 2, 3] and found.at.tolist() == [3.0, 5.0, 7.0]
    assert torch.equal(found.point, torch.tensor([[3.0, 1.5], [5.0, 2.5], [7.0, 3.5]]).double())
    columns = crossings(torch.tensor([[[2.0, 1.0], [8.0, 4.0]]]).double(), axis=1, lines=5)
    assert columns.line.tolist() == [2, 3, 4] and columns.at.tolist() == [1.25, 1.75, 2.25]
    assert torch.allclose(found.share[0] + columns.share[0], torch.ones(()).double()), "counted once in all"
