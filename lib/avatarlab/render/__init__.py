"""Camera, mesh rasterizer, silhouette and shading; knows nothing of bodies."""

from avatarlab.render.camera import Camera
from avatarlab.render.picture import as_uint8, contact_sheet
from avatarlab.render.raster import Raster, rasterize
from avatarlab.render.shading import overlay, shade, vertex_normals
from avatarlab.render.silhouette import silhouette
from avatarlab.render.studio import fitting, portrait

__all__ = [
    "Camera",
    "Raster",
    "as_uint8",
    "contact_sheet",
    "fitting",
    "overlay",
    "portrait",
    "rasterize",
    "shade",
    "silhouette",
    "vertex_normals",
]
