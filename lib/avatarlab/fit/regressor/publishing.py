"""The trained network as a file: weights, and a card that says where they come from and what they rest on."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from avatarlab.body import Body
from avatarlab.fit.regressor.train import Training
from avatarlab.learn import weights
from avatarlab.synthetic import Participants

LICENCE = "Apache-2.0"
BASES = ("body", "skeleton")
"""What the network says betas and poses in."""
DATA = (
    "Made-up people only, drawn anew for every round: half mixtures of train participants of stage 11_people ({count} "
    "people, rows: {source}), half draws from the open body's prior, each with what participants have beyond its "
    "components; posed, photographed, clothed and spoilt as 11_people does. No calibration or test people, no photos."
)


def publish(
    path: str | Path,
    module: Training,
    body: Body,
    people: Participants | None,
    metrics: Mapping[str, float],
    commit: str,
) -> None:
    """Write the weights to ``path`` and the card beside them; ``metrics`` are flat figures of the network."""
    data = DATA.format(count=len(people) if people else 0, source=people.source if people else "none")
    card = {
        "data": data, "parameters": asdict(module.settings), "commit": commit, "metrics": dict(metrics),
        "licence": LICENCE, "bases": {name: body.bases[name] for name in BASES}, "seed": module.settings.seed,
    }  # fmt: skip
    numbers = module.network.state_dict()
    weights.save(path, {name: x for name, x in numbers.items() if not name.endswith("num_batches_tracked")}, card)
