"""What the photos cannot know of a person, measure by measure, and why, in words."""

from collections.abc import Mapping, Sequence

from avatarlab.photo import Observation

CUT = {
    "legs_cut": ("the legs are not in the picture", ("thigh", "calf", "ankle", "inside_leg")),
    "feet_cut": ("the feet are not in the picture", ("ankle",)),
    "arms_cut": ("an arm leaves the picture", ("wrist", "forearm", "arm_length")),
    "head_cut": ("the head leaves the picture", ("head",)),
}
"""Finding -> why, and what is then in no picture."""
COVERED = {"arms_against_body": ("an arm lies over the trunk's outline", ("chest", "waist"))}
"""Finding -> why, and what is covered, though the search still sees a little of it."""
VAGUE = "too little of it is in the picture"
VAGUE_SHARE = 0.75
"""A tape whose SD after the search is more than this share of the population's, given stature, was hardly seen."""


def hidden_measures(
    observations: Sequence[Observation], std: Mapping[str, float], before: Mapping[str, float]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Measures that no photo shows, with reasons; and those of them whose readings are no evidence either.

    ``std`` and ``before``: standard deviation (m) of each tape after and before the photos, given stature. Where
    every photo is cut somewhere, what stays nearly as unsure as before was too little in them; elsewhere a vague tape
    (a head under hair) is only vague, and its interval says so.
    """
    reasons = [hidden_in(one) for one in observations]
    found = {name: why for name, why in reasons[0].items() if all(name in other for other in reasons)}
    unread = {name for name in found if all(name in _reasons(one, CUT) for one in observations)}
    if all(one.codes & {*CUT} for one in observations):
        vague = {name for name in std if before[name] > 1e-6 and std[name] > VAGUE_SHARE * before[name]}
        found = dict.fromkeys(sorted(vague), VAGUE) | found
        unread |= vague
    return found, tuple(sorted(unread))


def hidden_in(observation: Observation) -> dict[str, str]:
    """Measures that this one photo does not show, and why."""
    return _reasons(observation, CUT | COVERED)


def _reasons(observation: Observation, table: Mapping[str, tuple[str, tuple[str, ...]]]) -> dict[str, str]:
    """What the findings of one photo hide, and why."""
    codes = [code for code in table if code in observation.codes]
    return {name: why for code in codes for why, names in [table[code]] for name in names}
