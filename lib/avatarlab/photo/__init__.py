"""What a photo shows: decoding, mask, body parts, keypoints, face mesh, hands, skin colour, what is missing."""

from avatarlab.photo.decoding import Photo, decode
from avatarlab.photo.drawing import picture
from avatarlab.photo.observation import Finding, Hands, Observation, SkinSample
from avatarlab.photo.observing import observe

__all__ = ["Finding", "Hands", "Observation", "Photo", "SkinSample", "decode", "observe", "picture"]
