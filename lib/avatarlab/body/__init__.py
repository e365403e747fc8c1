"""The body in SMPL-X file format: loading, posing, joints, landmarks, poses, and ``Person``, the noun."""

from avatarlab.body import layout, poses

__all__ = ["layout", "poses"]
