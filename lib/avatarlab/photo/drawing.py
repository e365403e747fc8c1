"""The debug picture: what was seen, drawn over the photo, with the findings in words below."""

import textwrap

import cv2
import numpy as np

from avatarlab.photo.observation import PART_NAMES, Observation

TINTS = np.array(
    [(0, 0, 0), (250, 220, 80), (80, 160, 250), (240, 90, 90), (250, 150, 220), (80, 210, 120), (40, 200, 210)],
    np.uint8,
)
"""Colour per part, in PART_NAMES order."""
OUTLINE = (255, 40, 40)
BONES = (
    (11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24),
    (23, 25), (25, 27), (24, 26), (26, 28), (27, 29), (29, 31), (28, 30), (30, 32),
)  # fmt: skip
TALL_PX = 1000
FONT, TEXT_SCALE, LINE_PX = cv2.FONT_HERSHEY_SIMPLEX, 0.5, 20


def picture(rgb: np.ndarray, observation: Observation) -> np.ndarray:
    """Return uint8 (h, w, 3): outline, tinted parts, bones, face, hands and caption, enlarged to legible size."""
    scale = TALL_PX / max(rgb.shape[:2])
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    canvas = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    canvas = _tinted(canvas, cv2.resize(observation.parts, size, interpolation=cv2.INTER_NEAREST))
    _outline(canvas, observation.mask, scale)
    _points(canvas, observation, scale)
    return np.vstack([canvas, _caption(observation, size[0])])


def _tinted(canvas: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Mix every part's colour over the photo and dim the background."""
    mixed = (0.6 * canvas + 0.4 * TINTS[parts]).astype(np.uint8)
    return np.where(parts[..., None] > 0, mixed, (0.75 * canvas).astype(np.uint8))


def _outline(canvas: np.ndarray, mask: np.ndarray, scale: float) -> None:
    """Draw the mask's contour in place."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    scaled = [np.rint((contour + 0.5) * scale).astype(np.int32) for contour in contours]
    cv2.drawContours(canvas, scaled, -1, OUTLINE, 1, cv2.LINE_AA)


def _points(canvas: np.ndarray, observation: Observation, scale: float) -> None:
    """Draw bones, keypoints (hollow where hardly visible), face mesh and hands in place."""
    body = np.rint(observation.keypoints[:, :2] * scale).astype(int)
    for a, b in BONES:
        cv2.line(canvas, body[a].tolist(), body[b].tolist(), (255, 255, 255), 1, cv2.LINE_AA)
    for point, seen in zip(body.tolist(), observation.keypoints[:, 2], strict=True):
        cv2.circle(canvas, point, 4, (0, 0, 0), -1 if seen > 0.5 else 1, cv2.LINE_AA)
        cv2.circle(canvas, point, 3, (255, 255, 255), -1 if seen > 0.5 else 1, cv2.LINE_AA)
    for points in (observation.face, observation.hands.left, observation.hands.right):
        for x, y in np.rint(points[:, :2] * scale).astype(int).tolist() if points is not None else ():
            cv2.circle(canvas, (x, y), 1, (120, 255, 60), -1)


def _caption(observation: Observation, width: int) -> np.ndarray:
    """Return a white strip with the facts and findings in words, and the skin colour as a swatch."""
    facts = (
        f"{observation.name}: {observation.width} x {observation.height}, {observation.view}, yaw "
        f"{observation.yaw_deg:.0f} deg, focal {observation.focal_px:.0f} px ({observation.focal_source})"
    )
    notes = [f"{note.code}: {note.sentence}" for note in observation.findings] or ["nothing amiss"]
    per_line = max(20, int(width / 9))
    lines = [part for text in [facts, *notes] for part in textwrap.wrap(text, per_line)]
    strip = np.full((LINE_PX * (len(lines) + 1) + 8, width, 3), 255, np.uint8)
    for row, line in enumerate(lines):
        cv2.putText(strip, line, (8, LINE_PX * (row + 1)), FONT, TEXT_SCALE, (20, 20, 20), 1, cv2.LINE_AA)
    _legend(strip, LINE_PX * (len(lines) + 1), observation)
    return strip


def _legend(strip: np.ndarray, y: int, observation: Observation) -> None:
    """Write the parts' names in their colours, and the skin swatch, into the strip in place."""
    x = 8
    if observation.skin:
        colour = np.rint(observation.skin.rgb * 255).astype(int).tolist()
        cv2.rectangle(strip, (x, y - 12), (x + 24, y + 2), colour, -1)
        cv2.putText(strip, "skin", (x + 28, y), FONT, 0.4, (20, 20, 20), 1, cv2.LINE_AA)
        x += 66
    for name, tint in zip(PART_NAMES[1:], TINTS[1:], strict=True):
        cv2.rectangle(strip, (x, y - 10), (x + 8, y), tint.tolist(), -1)
        cv2.putText(strip, name.replace("_", " "), (x + 11, y), FONT, 0.4, (20, 20, 20), 1, cv2.LINE_AA)
        x += 18 + 6 * len(name)
