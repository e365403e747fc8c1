"""What leaves the lab: one avatar as GLB, as meshopt-compressed GLB and as OBJ, at full or reduced detail.

In motion: ``export.animated``, ``export.bvh``, ``export.filming``; not handed on here, so that what stands still depends
on nothing that moves.
"""

from avatarlab.export.glb import write_glb
from avatarlab.export.lod import Lod, reduce_body, whole_body
from avatarlab.export.meshopt import compress, find_gltfpack
from avatarlab.export.obj import displayed_vertices, write_obj

__all__ = [
    "Lod",
    "compress",
    "displayed_vertices",
    "find_gltfpack",
    "reduce_body",
    "whole_body",
    "write_glb",
    "write_obj",
]
