"""The body in SMPL-X file format: loading, posing, joints, landmarks, poses, and ``Person``, the noun."""

from avatarlab.body import layout, poses
from avatarlab.body.model import Body, Posed
from avatarlab.body.person import Block, Person
from avatarlab.body.uncertainty import MeasureUncertainty, Uncertainty

__all__ = [
    "Block",
    "Body",
    "MeasureUncertainty",
    "Person",
    "Posed",
    "Uncertainty",
    "layout",
    "poses",
]
