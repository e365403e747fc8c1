"""Camera, mesh rasterizer, silhouette and shading; knows nothing of bodies."""

from avatarlab.render.camera import Camera
from avatarlab.render.raster import Raster, rasterize
from avatarlab.render.silhouette import silhouette

__all__ = ["Camera", "Raster", "rasterize", "silhouette"]
