"""What leaves the lab: one avatar as GLB, as meshopt-compressed GLB and as OBJ, at full or reduced detail; and in motion."""

from avatarlab.export.animated import write_animated_glb
from avatarlab.export.bvh import write_bvh
from avatarlab.export.filming import Shot, write_film
from avatarlab.export.glb import write_glb
from avatarlab.export.lod import Lod, reduce_body, whole_body
from avatarlab.export.meshopt import compress, find_gltfpack
from avatarlab.export.obj import displayed_vertices, write_obj

__all__ = [
    "Lod",
    "Shot",
    "compress",
    "displayed_vertices",
    "find_gltfpack",
    "reduce_body",
    "whole_body",
    "write_animated_glb",
    "write_bvh",
    "write_film",
    "write_glb",
    "write_obj",
]
