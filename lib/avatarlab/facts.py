"""What may be said of a person who is fitted, in the user's own units; light enough to import where no model is."""

from avatarlab.errors import InputError, number

STATURE_CM, WEIGHT_KG = (100, 250), (20, 300)
SEXES = ("male", "female", "unknown")
ON_FAILURE = ("fail", "placeholder")
"""Where no body fits: refuse, or hand out the population's average, marked as placeholder."""


def check_person(stature_cm, weight_kg, sex) -> float:
    """Guard what a user types, in the user's units; return the stature in metres."""
    size = stature_cm if isinstance(stature_cm, int | float) else 0.0
    hint = "Did you pass metres?" if 0 < size < 3 else ""
    hint = "Did you pass millimetres?" if size > 999 else hint
    number("stature_cm", stature_cm, *STATURE_CM, "centimetres", hint)
    if weight_kg is not None:
        number("weight_kg", weight_kg, *WEIGHT_KG, "kilograms", "Leave it out if unknown.")
    if sex not in SEXES:
        raise InputError(f"sex: got {sex!r}, expected one of {', '.join(SEXES)}.")
    return float(stature_cm) / 100
