"""``Readings``: what a search says of one person in plain numbers, all that the posterior is given of the photos."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

import torch
from torch import Tensor

from avatarlab.body import Body, poses
from avatarlab.core.errors import InputError
from avatarlab.measure import MEASURES, dimensions, tapes
from avatarlab.measure.volume import weight_kg
from avatarlab.photo.observation import CAPTURES

INPUTS = ("front", "side", "front_side")


@dataclass(frozen=True)
class Readings:
    """What the fitted mesh of one person measures, metres (``weight``: kg by volume); plain data, JSON by ``as_json``.

    value: 16 tapes (definition ``ansur``), breadths, depths and heights by ANSUR column, weight. guess: the same tapes
    of the network's first guess, empty if there is none. sd: Laplace standard deviation of the 16 tapes.
    misfit: outline rms by view. hidden: measure -> why the photos cannot know it, so that it is withheld. unread: those
    of them whose outline is in no picture, so that their readings are no evidence either; what clothes cover still is.
    """

    capture: str
    inputs: str
    value: dict[str, float]
    sd: dict[str, float]
    guess: dict[str, float] = field(default_factory=dict)
    misfit: dict[str, float] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    def __post_init__(self):
        if self.capture not in CAPTURES or self.inputs not in INPUTS:
            raise InputError(
                f"readings: got capture {self.capture!r} and inputs {self.inputs!r}, expected one of "
                f"{', '.join(CAPTURES)} and one of {', '.join(INPUTS)}."
            )
        for name in ("value", "sd", "guess", "misfit"):
            if not all(math.isfinite(x) for x in getattr(self, name).values()):
                raise InputError(f"readings: {name} holds a number that is not finite.")
        object.__setattr__(self, "unread", tuple(self.unread))
        for name in (*self.hidden, *self.unread):
            if name not in MEASURES:
                raise InputError(
                    f"readings: {name!r} is hidden, but not a measure; known are {', '.join(MEASURES)}."
                )
        if missing := [name for name in MEASURES if name not in self.value or name not in self.sd]:
            raise InputError(f"readings: {', '.join(missing)} missing; every tape is read on the mesh.")

    def as_json(self) -> dict:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, table: Mapping) -> "Readings":
        """Take back what ``as_json`` gave; anything else raises InputError."""
        try:
            return cls(**{one.name: table[one.name] for one in fields(cls)})
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"readings: not what Readings.as_json writes ({error!r}).") from None


def read(body: Body, betas: Tensor) -> dict[str, float]:
    """Tapes, breadths, depths and heights in m, and ``weight`` in kg, of a body with betas (S,) in the standing pose."""
    with torch.no_grad():
        vertices = body(betas=betas, pose=poses.standing()).vertices
        values = tapes(body, vertices) | dimensions(body, vertices) | {"weight": weight_kg(body, vertices)}
    return {name: round(float(value), 5) for name, value in values.items()}
