"""Clothes, hair and shoes as what they do to an outline: skin moved outward along its normals, region by region."""

from copy import copy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from avatarlab.body import Body
from avatarlab.render import vertex_normals
from avatarlab.render.outline import edges_of
from avatarlab.synthetic.rendered import scalp

EASE_M, EASE_SD_M = 0.005, 0.0035
"""Air and cloth between skin and outline, mean and SD among people asked to wear tight clothes: a T-shirt's cloth is
under 1 mm and lies on at shoulders and chest; at the waist it hangs. By judgement, for want of data."""
LOOSE_SHARE, LOOSE_M = 0.10, (0.010, 0.015)
"""One garment in ten is loose in spite of the request."""
FOLDS = 0.30
"""Share by which the looseness varies over a garment, in folds of about 30 cm."""
AIR_M, AIR_BETA = 0.045, (1.0, 2.0)
"""Most air under a boxy shirt at the waist, and how it is distributed below that (beta): real photographs of one man in
a T-shirt swing by 6 cm in the waist. Only pictures (track c) have it; masks of track b come from people who tried."""
HAIR_M = {"male": (0.008, 0.006), "female": (0.022, 0.012)}
"""Hair's thickness over the scalp, mean and SD (gamma), at most HAIR_LIMIT_M."""
HAIR_LIMIT_M = 0.06
SOLE_M, UPPER_M = (0.010, 0.040), (0.003, 0.009)
"""Range of soles under the foot and of a shoe's thickness around it."""
BLUR = 6
"""Rounds of averaging over neighbours that soften a garment's rim, about 3 cm on this mesh."""


@dataclass(frozen=True)
class Clothes:
    """What one person wears, metres: looseness of shirt and trousers, hair over the scalp, sole and shoe, air under the
    shirt at the waist; ``seed`` of the folds."""

    shirt_m: float
    trousers_m: float
    hair_m: float
    sole_m: float
    shoe_m: float
    seed: int
    air_m: float = 0.0


def clothes(chance: np.random.Generator, sex: str) -> Clothes:
    """Draw what a person of one sex wears."""
    mean, sd = HAIR_M[sex]
    return Clothes(
        _ease(chance),
        _ease(chance),
        float(min(_gamma(chance, mean, sd), HAIR_LIMIT_M)),
        float(chance.uniform(*SOLE_M)),
        float(chance.uniform(*UPPER_M)),
        int(chance.integers(2**31)),
    )


def air_m(chance: np.random.Generator) -> float:
    """Draw the air (m) under a shirt at the waist of somebody who did not dress for measuring."""
    return float(AIR_M * chance.beta(*AIR_BETA))


def _ease(chance: np.random.Generator) -> float:
    tight, loose = _gamma(chance, EASE_M, EASE_SD_M), chance.uniform(*LOOSE_M)
    return float(loose if chance.random() < LOOSE_SHARE else min(tight, LOOSE_M[1]))


def _gamma(chance: np.random.Generator, mean: float, sd: float) -> float:
    return float(chance.gamma((mean / sd) ** 2, sd**2 / mean))


class Wardrobe:
    """The regions of one body that garments cover, (V,) 0 to 1: ``shirt``, ``trousers``, ``hair``, ``shoes``, and ``hang``,
    where a shirt stands off."""

    REGIONS = ("shirt", "trousers", "hair", "shoes", "hang")

    def __init__(self, body: Body):
        skin = body.skin_count
        self.faces = body.faces
        self.template = body.template[:skin]
        part = body.part[:skin]
        of = lambda *names: torch.isin(part, torch.tensor([body.parts.index(n) for n in names]))  # noqa: E731
        arms, legs = of("l_upper_arm", "r_upper_arm"), of("l_thigh", "r_thigh", "l_calf", "r_calf")
        soft = _Blur(body)
        self.shirt = soft(of("trunk") | arms)
        self.trousers = soft(legs) * (1 - self.shirt) + self._hips(body, of("trunk"), soft)
        self.shirt = (self.shirt - self.trousers).clamp(0, 1)
        self.hair = soft(scalp(body)[:skin])
        self.shoes = soft(of("l_foot", "r_foot"))
        self.hang = soft(of("trunk")) * self._drop(body)

    def only(self, vertices: torch.Tensor, faces: torch.Tensor) -> "Wardrobe":
        """Return the regions of a coarser mesh: ``vertices`` (K,) numbers of this body's, ``faces`` (F, 3) among them."""
        few = copy(self)
        few.faces, few.template = faces, self.template[vertices]
        for region in self.REGIONS:
            setattr(few, region, getattr(self, region)[vertices])
        return few

    def _drop(self, body: Body) -> torch.Tensor:
        """How far a shirt hung from the chest stands off by height: most at the navel, still a little at the crotch."""
        chest, navel, crotch = (
            float(body.template[body.landmarks[n], 1]) for n in ("LEFT_NIPPLE", "BELLY_BUTTON", "CROTCH")
        )
        y = self.template[:, 1]
        above = ((chest - y) / (chest - navel)).clamp(0, 1)
        below = ((y - crotch) / (navel - crotch)).clamp(0, 1)
        return torch.where(y > navel, above * above * (3 - 2 * above), 0.3 + 0.7 * below)

    def _hips(self, body: Body, trunk: torch.Tensor, soft: "_Blur") -> torch.Tensor:
        """The trunk below the navel belongs to the trousers."""
        return soft(trunk & (self.template[:, 1] < body.template[body.landmarks["BELLY_BUTTON"], 1]))

    def folds(self, seed: int) -> torch.Tensor:
        """Return a smooth factor (V,) about 1 that makes a garment uneven."""
        chance = np.random.default_rng(seed)
        waves = torch.from_numpy(chance.normal(0, 2 * np.pi / 0.3, (3, 6))).float()
        phase = torch.from_numpy(chance.uniform(0, 2 * np.pi, 6)).float()
        return 1 + FOLDS * torch.sin(self.template @ waves + phase).sum(1) / 6**0.5

    def dressed(self, vertices: torch.Tensor, worn: Clothes) -> torch.Tensor:
        """Move skin (V, 3) m, y up, to the surface of what is worn; soles reach down, stature is no longer the skin's."""
        normals = vertex_normals(vertices, self.faces)
        cloth = worn.shirt_m * self.shirt + worn.trousers_m * self.trousers + worn.air_m * self.hang
        offset = cloth * self.folds(worn.seed).clamp_min(0) + worn.hair_m * self.hair + worn.shoe_m * self.shoes
        moved = vertices + offset[:, None] * normals
        moved[:, 1] -= worn.sole_m * self.shoes
        return moved


class _Blur:
    """Averages a region (V,) over mesh neighbours, BLUR times."""

    def __init__(self, body: Body):
        ends = edges_of(body.faces).ends
        self.here, self.there = torch.cat([ends, ends.flip(1)]).T
        self.degree = torch.bincount(self.here, minlength=body.skin_count).clamp_min(1)

    def __call__(self, region: torch.Tensor) -> torch.Tensor:
        value = region.float()
        for _ in range(BLUR):
            around = torch.zeros_like(value).index_add_(0, self.here, value[self.there])
            value = 0.5 * value + 0.5 * around / self.degree
        return value


@lru_cache(maxsize=2)
def wardrobe(body: Body) -> Wardrobe:
    """Return the regions of ``body``, kept for the last bodies asked for."""
    return Wardrobe(body)
