"""From answers to figures: one tidy row per track, inputs, method, sex and tape, and the flat figures of the report."""

from collections.abc import Iterable, Mapping, Sequence

from avatarlab.fit.estimator.posterior import Posterior
from avatarlab.fit.evaluate.linear import Moments
from avatarlab.fit.evaluate.panel import INPUTS, Inputs, Panel, estimated, judged, measured, regressed
from avatarlab.fit.evaluate.predictions import FIGURES, Answers, figure, scores
from avatarlab.fit.train.records import FitRecord

METHODS = {
    "stature": "stature only",
    "stature_weight": "stature and weight",
    "geometric": "tapes of the fitted mesh",
    "fit": "avatarlab",
    "floor": "floor: exact breadths and depths",
    "mesh_floor": "floor of the made-up bodies",
}
"""Method -> what it is called in figures, in their order."""
TRUNK = ("chest", "waist", "hip")
BEATEN = (*TRUNK, "thigh")
"""Tapes on which a photo must tell more than no photo."""
EVERYWHERE = ("baseline_ratio", "width_ratio", "coverage_off_pct")
"""What must hold for any track and any inputs: no tape of BEATEN worse than without a photo, intervals narrower than
then, nine truths of ten inside them."""
BMNET_MM = {"chest": 19.4, "waist": 18.7, "hip": 16.0}
"""The best published figures from two outlines and the stature: BMnet on BodyM's Test-A (arXiv 2210.05667), other people
and other tapes than ours."""


def answers(
    people: Panel,
    records: Sequence[FitRecord],
    posterior: Posterior | None,
    inputs: Inputs,
    known: Mapping[str, Moments],
    known_mesh: Mapping[str, Moments],
) -> dict[str, Answers]:
    """Method -> its answers about the same people; ``records`` are one track's.

    Who could not be searched gets the baseline's answer, as the placeholder body would give; a search that ``fit`` would
    refuse is scored as it is, so that refusing never looks like accuracy. Without ``known_mesh`` no second floor.
    """
    baseline = regressed(known, people, inputs.known)
    found = {
        "stature": regressed(known, people, ("stature",)),
        "stature_weight": regressed(known, people, ("stature", "weight")),
        "geometric": measured(people, records, inputs, baseline),
        "fit": estimated(people, judged(records, posterior, inputs), baseline),
        "floor": regressed(known, people, inputs.outline),
    }
    if known_mesh:
        found["mesh_floor"] = regressed(known_mesh, people, inputs.outline, on_mesh=True)
    return found


def rows(people: Panel, found: Mapping[tuple[str, str], Mapping[str, Answers]]) -> list[dict]:
    """(track, inputs) -> method -> answers -> the tidy table, a row for each method, sex and tape."""
    return [
        {"track": track, "inputs": inputs, "method": method} | row
        for (track, inputs), methods in found.items()
        for method, given in methods.items()
        for row in scores(given, people.truth, people.sexes)
    ]


def chosen(table: Iterable[dict], **expected) -> list[dict]:
    """The rows of the tidy table that have the wanted track, inputs, method, sex or measure."""
    return [row for row in table if all(row[key] == value for key, value in expected.items())]


def flat(table: Sequence[dict]) -> dict[str, float]:
    """Key ``{track}_{inputs}_{quantity}`` -> figure: mean over the fifteen tapes, or one; mean of both sexes.

    Keys ``worst_{quantity}``: the largest over tracks and inputs of what must hold for every one of them.
    """
    pairs = dict.fromkeys((row["track"], row["inputs"]) for row in table)
    sets = [
        (track, inputs, _quantities(chosen(table, track=track, inputs=inputs), INPUTS[inputs]))
        for track, inputs in pairs
    ]
    found = {f"{track}_{inputs}_{name}": value for track, inputs, one in sets for name, value in one.items()}
    found |= {f"worst_{name}": max(one[name] for *_, one in sets) for name in EVERYWHERE}
    return {name: round(value, 4 if name.endswith("ratio") else 2) for name, value in found.items()}


def _quantities(table: Sequence[dict], inputs: Inputs) -> dict[str, float]:
    """The figures of one track and one set of inputs."""
    per_method = {method: chosen(table, method=method) for method in dict.fromkeys(row["method"] for row in table)}
    ours, baseline = per_method["fit"], per_method["_".join(inputs.known)]
    found = {"mae15_mm": figure(ours, "mae_mm")}
    found |= {f"{tape}_mae_mm": figure(ours, "mae_mm", tape) for tape in BEATEN}
    found |= {name: figure(ours, name) for name in ("p90_mm", "coverage90_pct", "width90_mm", "withheld_pct")}
    found |= {
        f"{method}_mae15_mm": figure(per_method[method], "mae_mm")
        for method in ("floor", "mesh_floor", "geometric")
        if method in per_method
    }
    found |= {
        "baseline_mae15_mm": figure(baseline, "mae_mm"),
        "baseline_width90_mm": figure(baseline, "width90_mm"),
    }
    found |= {f"baseline_{tape}_mae_mm": figure(baseline, "mae_mm", tape) for tape in BEATEN}
    found["floor_ratio"] = found["mae15_mm"] / max(found["floor_mae15_mm"], 1e-9)
    found["width_ratio"] = found["width90_mm"] / max(found["baseline_width90_mm"], 1e-9)
    against = [found[f"{tape}_mae_mm"] / max(found[f"baseline_{tape}_mae_mm"], 1e-9) for tape in BEATEN]
    return found | {"baseline_ratio": max(against), "coverage_off_pct": abs(found["coverage90_pct"] - 90)}


def refused(people: Panel, records: Sequence[FitRecord], inputs: Inputs) -> tuple[str, ...]:
    """Ids of the people whom the search of these views could not find, or whose fit is not to be used."""
    there = {record.id for record in records if record.inputs == inputs.views and record.usable}
    return tuple(one for one in people.ids if one not in there)


HEADS = ("MAE", "median", "P90", "bias", "<2 cm %", "cover %", "width", "no photo", "floor")


def written(table: Sequence[dict], track: str, inputs: str) -> str:
    """One track and set of inputs as text: a line for each sex and tape, mm; last the MAE of baseline and floor."""
    table = chosen(table, track=track, inputs=inputs)
    methods = ("fit", "_".join(INPUTS[inputs].known), "floor")
    ours, bare, floor = ({(r["sex"], r["measure"]): r for r in chosen(table, method=m)} for m in methods)
    lines = [f"{'':26s}" + "".join(f"{head:>9s}" for head in HEADS)]
    for key, row in ours.items():
        shown = [row[name] for name in FIGURES] + [other[key]["mae_mm"] for other in (bare, floor)]
        name = f"{key[0]:7s} {key[1].replace('_', ' ')}"
        lines.append(f"{name:26s}" + "".join(f"{number:9.1f}" for number in shown))
    return "\n".join(lines)
