"""The coarser mesh against the body's own."""

import torch

from avatarlab.body import poses
from avatarlab.fit.regressor.coarse_mesh import coarse_mesh
from avatarlab.render import silhouette
from avatarlab.render.studio import fitting


def test_its_outline_is_the_bodys(open_body):
    mesh = coarse_mesh(open_body)
    betas = torch.randn(48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        skin = open_body(betas=betas, pose=poses.apose(40)).vertices
    camera = fitting(skin[: open_body.skin_count], width=180, height=260)
    full, few = silhouette(skin, open_body.faces, camera), silhouette(skin[mesh.vertices], mesh.faces, camera)
    assert len(mesh.faces) < 0.45 * len(open_body.faces)
    assert abs(float(few.sum() / full.sum()) - 1) < 3e-3
    assert float((few - full).abs().sum() / full.sum()) < 0.02
