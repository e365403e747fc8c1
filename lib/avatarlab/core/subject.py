"""``Subject``: what is told of a person before any photo is looked at, checked here; light enough to import where no model is."""

from dataclasses import dataclass, replace

from avatarlab.core.errors import InputError, number

STATURE_CM, WEIGHT_KG = (100, 250), (20, 300)
SEXES = ("male", "female", "unknown")
CLOTHES = ("any", "tight", "minimal")
ON_FAILURE = ("fail", "placeholder")
"""Where no body fits: refuse, or hand out the population's average, marked as placeholder."""


@dataclass(frozen=True)
class Subject:
    """Who somebody is, as told: stature 1.0 to 2.5 m, weight 20 to 300 kg or None, one of SEXES, one of CLOTHES.

    ``Subject.of`` takes centimetres. Anything else raises InputError with one sentence in the user's own unit.
    """

    stature_m: float
    weight_kg: float | None = None
    sex: str = "unknown"
    clothes: str = "any"

    def __post_init__(self):
        low, high = (x / 100 for x in STATURE_CM)
        hint = "Did you pass centimetres?" if high < _size(self.stature_m) <= STATURE_CM[1] else ""
        stature, weight = number("stature_m", self.stature_m, low, high, "metres", hint), self.weight_kg
        if weight is not None:
            weight = number("weight_kg", weight, *WEIGHT_KG, "kilograms", "Leave it out if unknown.")
        object.__setattr__(self, "stature_m", stature)
        object.__setattr__(self, "weight_kg", weight)
        for name, known in (("sex", SEXES), ("clothes", CLOTHES)):
            if getattr(self, name) not in known:
                raise InputError(f"{name}: got {getattr(self, name)!r}, expected one of {', '.join(known)}.")

    @classmethod
    def of(
        cls, stature_cm: float, weight_kg: float | None = None, sex: str = "unknown", clothes: str = "any"
    ) -> "Subject":
        """The same in the units that people use: the one place where centimetres become metres."""
        size = _size(stature_cm)
        hint = "Did you pass metres?" if 0 < size < 3 else ""
        hint = "Did you pass millimetres?" if size > 999 else hint
        return cls(
            number("stature_cm", stature_cm, *STATURE_CM, "centimetres", hint) / 100, weight_kg, sex, clothes
        )

    def unweighed(self) -> "Subject":
        """The same person, the weight not told."""
        return replace(self, weight_kg=None)


def _size(value) -> float:
    """A number as it is, 0 for anything else."""
    return value if isinstance(value, int | float) else 0.0
