"""``observe``: one photo in, one Observation out."""

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.photo import body_parts, detectors, findings, matting, person_detection, skeleton, skin, views
from avatarlab.photo.decoding import Photo
from avatarlab.photo.networks import Pose
from avatarlab.photo.observation import Finding, Hands, Observation

VIEWS = ("auto", "front", "side")
ASSUMED_FOV_DEG = 60.0
FACE_SIDE, FACE_PX = 3.2, 512
HAND_PX = 384


def observe(photo: Photo, view: str = "auto") -> Observation:
    """Return what the photo shows of its largest person; raises InputError where there is nobody.

    ``view`` is what the photo is meant to be (front, side, or auto to accept either); a mismatch becomes a finding.
    Deterministic. The first call loads the networks (seconds), later ones take well below 1.5 s.
    """
    if view not in VIEWS:
        raise InputError(f"view: got {view!r}, expected one of {', '.join(VIEWS)}.")
    everybody = person_detection.find(photo.rgb)
    if not everybody or not (everybody[0].confidence > 0.5).any():
        raise InputError(f"{photo.name}: no person was found; give a photo of one whole person in good light.")
    return _described(photo, view, everybody[0], len(everybody))


def _described(photo: Photo, view_hint: str, pose: Pose, count: int) -> Observation:
    """Return the Observation of the chosen person."""
    yaw = views.yaw(pose.keypoints, pose.world)
    view = views.view_of(yaw) if view_hint == "auto" else view_hint
    mask = matting.refine(photo.rgb, pose.confidence, pose.keypoints)
    parts = body_parts.part_map(mask, pose.keypoints, view)
    face = find_face(photo.rgb, pose)
    colour = skin.sample_skin(photo.rgb, face) if face is not None else None
    found = [findings.finding("several_people", count=count)] if count > 1 else []
    found += findings.of_frame(mask, parts, pose.keypoints) + findings.of_view(view, view_hint, yaw)
    found += findings.of_pose(mask, pose.keypoints, pose.world, view)
    found += findings.of_quality(mask, pose.keypoints, pose.confidence)
    found += _of_face(view, face is not None, colour is not None)
    focal, source = _focal(photo)
    return Observation(
        width=photo.rgb.shape[1], height=photo.rgb.shape[0], focal_px=focal, focal_source=source, view=view,
        yaw_deg=yaw, keypoints=pose.keypoints, keypoints_world=pose.world, mask=mask, parts=parts,
        confidence=np.rint(pose.confidence * 255).astype(np.uint8), face=face, hands=find_hands(photo.rgb, pose),
        skin=colour, findings=tuple(found), name=photo.name,
    )  # fmt: skip


def _of_face(view: str, face: bool, colour: bool) -> list[Finding]:
    """Return what is missing of the face; a side view need not show one."""
    if not face:
        return [findings.finding("no_face")] if view == "front" else []
    return [] if colour else [findings.finding("no_skin")]


def _focal(photo: Photo) -> tuple[float, str]:
    """Return the focal length (px) and whether EXIF told it or ASSUMED_FOV_DEG across the longer side did."""
    if photo.focal_px:
        return photo.focal_px, "exif"
    return max(photo.rgb.shape[:2]) / 2 / float(np.tan(np.radians(ASSUMED_FOV_DEG / 2))), "assumed"


def find_face(rgb: np.ndarray, pose: Pose) -> np.ndarray | None:
    """Return the face mesh (478, 3) px of this person from an enlarged crop around the head, or None."""
    points = pose.keypoints[:11, :2]
    size = float(np.ptp(points, axis=0).max())
    centre = (points.min(0) + points.max(0)) / 2
    face = detectors.in_crop(detectors.face, rgb, centre, max(FACE_SIDE * size, 24.0), FACE_PX)
    if face is None or np.linalg.norm(face[:, :2].mean(0) - centre) > size:
        return None
    return face


def find_hands(rgb: np.ndarray, pose: Pose) -> Hands:
    """Return the hands found in enlarged crops around visible wrists."""
    return Hands(*(_hand(rgb, pose.keypoints, side) for side in (0, 1)))


def _hand(rgb: np.ndarray, keypoints: np.ndarray, side: int) -> np.ndarray | None:
    """Return one hand (21, 3) px, or None if unseen or if what was found is not at this wrist."""
    x, y, seen = keypoints[skeleton.WRISTS[side]]
    if seen < 0.5 or not (0 <= x < rgb.shape[1] and 0 <= y < rgb.shape[0]):
        return None
    points = keypoints[:, :2].astype(float)
    _, elbow, wrist, tip = skeleton.arm(points, side)
    size = max(np.linalg.norm(wrist - elbow), 0.4 * skeleton.trunk(points).length)
    hand = detectors.in_crop(detectors.hand, rgb, (wrist + tip) / 2, max(1.3 * size, 24.0), HAND_PX)
    if hand is None or np.linalg.norm(hand[0, :2] - wrist) > 0.4 * size:
        return None
    return hand
