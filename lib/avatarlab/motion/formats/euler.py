"""Euler angles of motion files, quickly: many frames of one joint at once."""

import numpy as np


def euler(letters: str, angles) -> np.ndarray:
    """Angles (T, n) rad -> rotations (T, 3, 3): R(letters[0]) R(letters[1]) ..., the first letter's applied last."""
    rotations = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for column, letter in enumerate(letters.lower()):
        turn = _about("xyz".index(letter), angles[:, column])
        rotations = rotations @ turn if column else turn
    return rotations


def _about(axis: int, angle) -> np.ndarray:
    """Angles (T,) rad about x, y or z (0, 1, 2) -> (T, 3, 3)."""
    turn = np.zeros((len(angle), 3, 3))
    one, other = (axis + 1) % 3, (axis + 2) % 3
    turn[:, axis, axis] = 1
    turn[:, one, one] = turn[:, other, other] = np.cos(angle)
    turn[:, other, one] = np.sin(angle)
    turn[:, one, other] = -turn[:, other, one]
    return turn
