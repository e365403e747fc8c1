"""Pictures of what the network says: the outline of the guessed body over the mask it was shown."""

import cv2
import numpy as np
import torch

from avatarlab.body import Body
from avatarlab.fit.regressor import encoding, evaluate
from avatarlab.fit.regressor.coarse_mesh import CoarseMesh
from avatarlab.fit.regressor.data import Batch
from avatarlab.fit.regressor.hard_mining import crop_camera
from avatarlab.fit.regressor.model import VIEWS, Regressor
from avatarlab.render.raster import visible_faces
from avatarlab.render.screen import to_screen

ZOOM = 2
MASK, OUTLINE = (235, 200, 160), (47, 109, 179)


def grid(network: Regressor, body: Body, mesh: CoarseMesh, batch: Batch) -> np.ndarray:
    """A picture (rows of views, a column per person) uint8 RGB."""
    pred = evaluate.predict(network, evaluate.shown(batch, "front_side"))
    rotation, shift, pose = (part.cpu() for part in encoding.decode_view(pred.views, batch.frame))
    with torch.no_grad():
        posed = body(betas=pred.betas[:, None], pose=pose, vertices=mesh.vertices)
    skin, faces = (posed.vertices - posed.joints[..., :1, :]).cpu(), mesh.faces
    columns, (centre, focal, _) = [], (part.cpu() for part in batch.frame)
    for n in range(len(skin)):
        column = []
        for k in range(VIEWS):
            camera = crop_camera(rotation[n, k], shift[n, k], centre[n, k], float(focal[n, k]))
            drawn = visible_faces(to_screen(skin[n, k], faces, camera.scaled(ZOOM)), faces).numpy() >= 0
            column.append(_over(batch.image[n, k, 0].float().cpu().numpy(), drawn))
        columns.append(np.concatenate(column))
    return np.concatenate(columns, 1)


def _over(mask: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """mask (H, W) 0..1 and drawn bool (ZOOM H, ZOOM W) -> uint8 RGB."""
    size = drawn.shape[::-1]
    share = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)[..., None]
    picture = (255 * (1 - share) + np.array(MASK) * share).astype(np.uint8)
    rims, _ = cv2.findContours(drawn.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, rims, -1, OUTLINE, 1)
    return np.ascontiguousarray(picture)
