"""What a photo lacks, in codes and sentences; `fit` decides what follows from them."""

import numpy as np

from avatarlab.photo import body_parts, skeleton, views
from avatarlab.photo.matting import window
from avatarlab.photo.observation import Finding

SEEN = 0.5
MIN_PERSON_PX = 250
"""Below this height one pixel is more than 7 mm of a person, four times that of the waist's usual claim."""
GAP_SHARE = 0.4
RAISED_DEG = 50.0
BENT_DEG, BENT_DEEP_DEG, STRAIGHT_DEG = 40.0, 58.0, 20.0
"""A knee's bend in space that counts, and where the picture shows it under STRAIGHT_DEG."""

SENTENCES = {
    "several_people": "{count} people are in the photo; the largest was taken, so photograph one person alone.",
    "feet_cut": "The feet are cut off or hidden; step back so that both feet are in the picture.",
    "legs_cut": "The legs are cut off or hidden; the lower body can only be guessed.",
    "head_cut": "The head touches the edge of the picture; leave room above the head.",
    "arms_cut": "A hand or arm leaves the picture; its length can only be guessed.",
    "profile_not_front": "The person is seen from the side (turned {yaw:.0f} degrees), but a front view is wanted.",
    "not_profile": "The person is turned {yaw:.0f} degrees, but a side view needs about 90.",
    "turned": "The person is turned {yaw:.0f} degrees away from the camera; face it squarely.",
    "seen_from_behind": "The person is seen from behind; face the camera.",
    "arms_against_body": "The {sides} arm lies against the body, which hides the trunk's outline; hold the arms off.",
    "not_standing": "The person is not standing upright with straight legs; girths and heights are less sure.",
    "too_small": "The person is only {pixels} pixels tall; come closer or send the original photo.",
    "low_confidence": "The person is hard to see (clarity {clarity:.2f} of 1); use better light and a plain background.",
    "no_face": "No face was found; skin colour and face shape are taken from the average.",
    "no_skin": "The face shows too little even skin to read its colour; the average is taken.",
}


def finding(code: str, **facts) -> Finding:
    """Return the finding of a code with its sentence filled in."""
    return Finding(code, SENTENCES[code].format(**facts))


def of_frame(mask: np.ndarray, parts: np.ndarray, keypoints: np.ndarray) -> list[Finding]:
    """Return what the picture's edge or an obstacle cuts off: head, arms, legs, feet."""
    cut = [("head_cut", _head_cut(mask, parts, keypoints)), ("arms_cut", _arms_cut(keypoints, mask.shape))]
    legs = _legs_cut(keypoints, mask.shape)
    cut += [("legs_cut", legs), ("feet_cut", legs or _feet_cut(parts, keypoints))]
    return [finding(code) for code, found in cut if found]


def _outside(keypoints: np.ndarray, numbers, shape: tuple[int, int]) -> np.ndarray:
    """Return bool per keypoint: beyond the picture."""
    x, y = keypoints[list(numbers), :2].T
    return (x < 0) | (y < 0) | (x >= shape[1]) | (y >= shape[0])


def _head_cut(mask: np.ndarray, parts: np.ndarray, keypoints: np.ndarray) -> bool:
    """Tell whether a face point is outside or a good part of the head lies on the picture's edge."""
    if _outside(keypoints, range(11), mask.shape).any():
        return True
    head = parts == body_parts.HEAD
    wide = max(head.sum(1).max(), 1)
    return bool(_on_edge(head) > 0.15 * wide)


def _on_edge(part: np.ndarray) -> int:
    """Return how many pixels (px) of one edge of the picture a part covers, at most."""
    return int(max(part[0].sum(), part[-1].sum(), part[:, 0].sum(), part[:, -1].sum()))


def _arms_cut(keypoints: np.ndarray, shape: tuple[int, int]) -> bool:
    """Tell whether an elbow, wrist or finger root is beyond the picture."""
    numbers = (*skeleton.ELBOWS, *skeleton.WRISTS, *skeleton.FINGERS[0], *skeleton.FINGERS[1])
    return bool(_outside(keypoints, numbers, shape).any())


def _legs_cut(keypoints: np.ndarray, shape: tuple[int, int]) -> bool:
    """Tell whether a knee or ankle is beyond the picture, or no ankle or no knee is seen."""
    pairs = [list(skeleton.KNEES), list(skeleton.ANKLES)]
    unseen = any(keypoints[pair, 2].max() < SEEN for pair in pairs)
    return unseen or bool(_outside(keypoints, [*skeleton.KNEES, *skeleton.ANKLES], shape).any())


def _feet_cut(parts: np.ndarray, keypoints: np.ndarray) -> bool:
    """Tell whether heels or toes are beyond the picture or unseen, or the legs' mask runs into its lower edge."""
    feet = [*skeleton.HEELS, *skeleton.TOES]
    if _outside(keypoints, feet, parts.shape).any() or keypoints[feet, 2].max() < SEEN:
        return True
    return bool(np.isin(parts[-1], body_parts.LEGS).any())


def of_view(view: str, view_hint: str, yaw_deg: float) -> list[Finding]:
    """Return how the view differs from the wanted one (front, side or auto)."""
    if view_hint == "side":
        return [] if views.view_of(yaw_deg) == "side" else [finding("not_profile", yaw=abs(yaw_deg))]
    if view_hint == "front" and views.view_of(yaw_deg) == "side":
        return [finding("profile_not_front", yaw=abs(yaw_deg))]
    if view == "front" and abs(yaw_deg) > views.BEHIND_DEG:
        return [finding("seen_from_behind")]
    if view == "front" and abs(yaw_deg) > views.FRONT_LIMIT_DEG:
        return [finding("turned", yaw=abs(yaw_deg))]
    return []


def of_pose(mask: np.ndarray, keypoints: np.ndarray, world: np.ndarray, view: str) -> list[Finding]:
    """Return what the pose hides: arms against the body (front view), bent legs or trunk."""
    found = []
    near = [name for side, name in enumerate(skeleton.SIDES) if arm_against(mask, keypoints, side)]
    if view == "front" and near:
        found.append(finding("arms_against_body", sides=" and the ".join(near)))
    if not _is_upright(keypoints, world):
        found.append(finding("not_standing"))
    return found


def arm_against(mask: np.ndarray, keypoints: np.ndarray, side: int) -> bool:
    """Tell whether less than GAP_SHARE of the arm, mid upper arm to wrist, has background between it and the trunk."""
    points = keypoints[:, :2].astype(float)
    trunk, (shoulder, elbow, wrist, _) = skeleton.trunk(points), skeleton.arm(points, side)
    unseen = keypoints[[skeleton.ELBOWS[side], skeleton.WRISTS[side]], 2].min() < SEEN
    if unseen or body_parts.arm_angle(points, trunk, side) > RAISED_DEG:
        return False
    upper = [shoulder + share * (elbow - shoulder) for share in (0.6, 0.8, 1.0)]
    lower = [elbow + share * (wrist - elbow) for share in (0.25, 0.5, 0.75, 1.0)]
    return float(np.mean([_is_free(mask, point, trunk) for point in upper + lower])) < GAP_SHARE


def _is_free(mask: np.ndarray, point: np.ndarray, trunk: skeleton.Trunk) -> bool:
    """Tell whether background lies between an arm's point and the trunk's axis; above the shoulders is free."""
    fall = (point - trunk.neck) @ trunk.down
    if fall < 0:
        return True
    steps = np.linspace(point, trunk.neck + fall * trunk.down, 64)
    x, y = np.rint(steps).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    return bool((~mask[y[inside], x[inside]]).any())


def _is_upright(keypoints: np.ndarray, world: np.ndarray) -> bool:
    """Tell whether the trunk is within 20 degrees of upright in the picture and visible knees are nearly straight.

    MediaPipe's depth bends straight legs by up to 46 degrees, so a knee that the picture shows straight gets more room.
    """
    down = skeleton.trunk(keypoints[:, :2].astype(float)).down
    if down[1] < np.cos(np.radians(20)):
        return False
    return not any(
        _is_bent(keypoints, world, side) for side in (0, 1) if keypoints[skeleton.ANKLES[side], 2] > SEEN
    )


def _is_bent(keypoints: np.ndarray, world: np.ndarray, side: int) -> bool:
    """Tell whether a knee is bent, in space and, unless it is bent a lot, in the picture."""
    in_picture = _bend_deg(keypoints[:, :2].astype(float), side)
    return _bend_deg(world, side) > (BENT_DEG if in_picture > STRAIGHT_DEG else BENT_DEEP_DEG)


def _bend_deg(points: np.ndarray, side: int) -> float:
    """Return a knee's bend in degrees, 0 is straight; points (33, 2 or 3)."""
    hip, knee, ankle, _ = points[[skeleton.HIPS[side], skeleton.KNEES[side], skeleton.ANKLES[side], 0]]
    thigh, calf = knee - hip, ankle - knee
    cosine = thigh @ calf / max(np.linalg.norm(thigh) * np.linalg.norm(calf), 1e-9)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def of_quality(mask: np.ndarray, keypoints: np.ndarray, confidence: np.ndarray) -> list[Finding]:
    """Return whether the person is too small in the picture or hard to see."""
    found = []
    pixels = max(span.stop - span.start for span in window(mask))
    if pixels < MIN_PERSON_PX:
        found.append(finding("too_small", pixels=pixels))
    clarity = float(np.median(keypoints[: skeleton.HIPS[1] + 1, 2]) * confidence[mask].mean())
    if clarity < 0.7:
        found.append(finding("low_confidence", clarity=clarity))
    return found
