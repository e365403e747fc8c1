"""Whose tapes the participants have: people of ANSUR II, or of its statistics where the tables are not at hand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.measure import population, survey
from avatarlab.measure.definitions import FLEXED_M
from avatarlab.synthetic.participant import SPLITS

SEXES = ("male", "female")
ANSUR = DATA / "ansur2"

BLOCKS = (("train", 100), ("calibration", 60), ("test", 100), ("train", 500), ("calibration", 200), ("test", 1000))
"""Splits along a fixed order of each sex's people. Who belongs to which split depends neither on the seed nor on how
many are asked for: nobody is tested whom published weights have learned from."""
ORDER_SEED = 7
DRAWN = 2000
"""People of each sex drawn from the statistics, from among whom the splits are taken."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of N people: id, split, sex (N,) and columns name -> (N,) m, kg; ``source`` is ansur2 or statistics."""

    source: str
    id: np.ndarray
    split: np.ndarray
    sex: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.id)

    def table(self) -> np.ndarray:
        """Return all columns as (N, C)."""
        return np.stack(list(self.columns.values()), 1)

    def relaxed(self, names: tuple[str, ...]) -> np.ndarray:
        """Return columns (N, K) m with biceps and forearm as they are relaxed."""
        excess = {sex: flexed(sex, names) for sex in SEXES}
        return np.stack([self.columns[name] for name in names], 1) - np.array([excess[sex] for sex in self.sex])


def flexed(sex: str, names: tuple[str, ...]) -> np.ndarray:
    """Return what columns (K,) m exceed relaxed limbs by: nothing but for biceps and forearm."""
    return np.array([FLEXED_M[sex].get(name, 0.0) for name in names])


def rows(counts: dict[str, int], folder: Path = ANSUR) -> Rows:
    """Take the first ``counts[split]`` people of each split, half men half women, nobody twice.

    Rows of the tables in ``folder``; where they are absent, rows drawn from the committed statistics.
    """
    if odd := [split for split in SPLITS if counts[split] < 0 or counts[split] % 2]:
        raise InputError(f"{', '.join(odd)}: expected an even number of people, half men and half women.")
    per_sex = {split: counts[split] // 2 for split in SPLITS}
    surveyed = all((folder / name).is_file() for name in survey.FILES.values())
    found = [_of_one_sex(sex, per_sex, folder if surveyed else None) for sex in SEXES]
    turns = np.arange(sum(counts[split] for split in SPLITS)).reshape(2, -1).T.ravel()  # men and women in turn
    id = np.concatenate(
        [[f"{sex[0]}{n:04d}" for n in numbers] for sex, (numbers, _) in zip(SEXES, found, strict=True)]
    )
    columns = {name: np.concatenate([table[name] for _, table in found])[turns] for name in found[0][1]}
    sex = np.repeat(SEXES, len(turns) // 2)
    split = np.tile(np.repeat(SPLITS, [per_sex[name] for name in SPLITS]), 2)
    return Rows("ansur2" if surveyed else "statistics", id[turns], split[turns], sex[turns], columns)


def order(sex: str, known: int) -> dict[str, np.ndarray]:
    """Return split -> the numbers of its people among ``known`` of one sex, in their fixed order."""
    key = [ORDER_SEED, SEXES.index(sex)]
    first = np.random.default_rng(key).choice(known, sum(size for _, size in BLOCKS[:3]), replace=False)
    rest = np.random.default_rng([*key, 1]).permutation(np.setdiff1d(np.arange(known), first))
    ends = np.cumsum([size for _, size in BLOCKS])
    parts = np.split(np.concatenate([first, rest]), ends)
    return {
        split: np.concatenate([part for part, (name, _) in zip(parts, BLOCKS, strict=False) if name == split])
        for split in SPLITS
    }


def _of_one_sex(sex: str, counts: dict[str, int], folder: Path | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return numbers (N,) and columns of the first ``counts[split]`` people of each split of one sex."""
    everybody = survey.read(folder, sex) if folder else population.sample(sex, DRAWN, ORDER_SEED)
    splits = order(sex, len(everybody["stature"]))
    for split, count in counts.items():
        if count > len(splits[split]):
            raise InputError(
                f"{split}: {count} people of sex {sex} are asked for, there are {len(splits[split])}; ask for fewer."
            )
    chosen = np.concatenate([splits[split][: counts[split]] for split in SPLITS])
    return chosen, {name: values[chosen] for name, values in everybody.items()}
