"""What leaves the lab: one avatar as GLB, as meshopt-compressed GLB and as OBJ, at full or reduced detail."""

from avatarlab.export.glb import write_glb
from avatarlab.export.lod import Lod, reduce_body, whole_body

__all__ = ["Lod", "reduce_body", "whole_body", "write_glb"]
