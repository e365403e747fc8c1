import math

import pytest
import torch
import trimesh
from mannequin import tubes

from avatarlab.measure.volume import DENSITY_KG_PER_M3, volume, weight_kg


def test_volume_of_a_box_and_a_sphere():
    for mesh, expected in (
        (trimesh.creation.box((0.2, 0.3, 0.5)), 0.03),
        (trimesh.creation.icosphere(5, 0.5), math.pi / 6),
    ):
        points, faces = torch.tensor(mesh.vertices.copy()), torch.tensor(mesh.faces.copy()).long()
        assert float(volume(points, faces)) == pytest.approx(expected, rel=1e-3)
        assert float(volume(points + 3.0, faces)) == pytest.approx(float(volume(points, faces)))
        assert float(volume(points, faces.flip(1))) == pytest.approx(-float(volume(points, faces)))


def test_weight_of_the_doll_is_that_of_its_tubes(doll):
    litres = sum(trimesh.Trimesh(*tube.mesh()[:2], process=False).volume for tube in tubes().values())
    batch = torch.stack([doll.template, 2 * doll.template])
    weights = weight_kg(doll, batch)
    assert float(weights[0]) == pytest.approx(litres * DENSITY_KG_PER_M3, rel=1e-4)
    assert float(weights[1]) == pytest.approx(8 * float(weights[0]), rel=1e-4)
