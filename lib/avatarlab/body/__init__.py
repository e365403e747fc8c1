"""The body in SMPL-X file format: loading, posing, joints, landmarks, poses, and ``Person``, the noun."""

from avatarlab.body import layout, poses
from avatarlab.body.model import Body, Posed
from avatarlab.body.person import Block, Person

__all__ = ["Block", "Body", "Person", "Posed", "layout", "poses"]
