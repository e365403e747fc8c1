"""Whose tapes the participants have: people of ANSUR II, or of its statistics where the tables are not at hand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab import DATA
from avatarlab.errors import InputError
from avatarlab.measure import population, survey
from avatarlab.measure.definitions import FLEXED_M
from avatarlab.people.participant import SPLITS

SEXES = ("male", "female")
ANSUR = DATA / "ansur2"


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


def rows(counts: dict[str, int], seed: int, folder: Path = ANSUR) -> Rows:
    """Draw ``counts[split]`` people for each split, half men half women, nobody twice.

    Rows of the tables in ``folder``; where they are absent, rows drawn from the committed statistics.
    """
    if odd := [split for split in SPLITS if counts[split] < 0 or counts[split] % 2]:
        raise InputError(f"{', '.join(odd)}: expected an even number of people, half men and half women.")
    per_sex = [counts[split] // 2 for split in SPLITS]
    surveyed = all((folder / name).is_file() for name in survey.FILES.values())
    found = [_of_one_sex(sex, sum(per_sex), seed, folder if surveyed else None) for sex in SEXES]
    turns = np.arange(2 * sum(per_sex)).reshape(2, -1).T.ravel()  # men and women in turn
    id = np.concatenate(
        [[f"{sex[0]}{n:04d}" for n in numbers] for sex, (numbers, _) in zip(SEXES, found, strict=True)]
    )
    columns = {name: np.concatenate([table[name] for _, table in found])[turns] for name in found[0][1]}
    sex, split = np.repeat(SEXES, sum(per_sex)), np.tile(np.repeat(SPLITS, per_sex), 2)
    return Rows("ansur2" if surveyed else "statistics", id[turns], split[turns], sex[turns], columns)


def _of_one_sex(sex: str, count: int, seed: int, folder: Path | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return numbers (N,) and columns of ``count`` people of one sex, each at most once."""
    if folder is None:
        return np.arange(count), population.sample(sex, count, seed)
    everybody = survey.read(folder, sex)
    known = len(everybody["stature"])
    if count > known:
        raise InputError(f"{count} people of sex {sex} are asked for, the survey has {known}; ask for fewer.")
    chosen = np.random.default_rng([seed, SEXES.index(sex)]).choice(known, count, replace=False)
    return chosen, {name: values[chosen] for name, values in everybody.items()}
