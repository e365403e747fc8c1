"""How far the network is off on a batch of made-up people, beside what stature (weight, sex) alone say."""

import torch
from torch import Tensor

from avatarlab.fit.estimator.state import POSE
from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.data import Batch, regressor_input
from avatarlab.fit.regressor.loss import Loss, likelihood, project_keypoints
from avatarlab.fit.regressor.model import SHAPES, Regressor, RegressorInput, RegressorOutput
from avatarlab.fit.regressor.shape_sampler import Shapes
from avatarlab.measure import MEASURES

INPUTS = {"front": (1.0, 0.0), "front_side": (1.0, 1.0)}
TOLD = 3
"""Features of encoding.given that stature and a known sex fill: constant, stature, sex."""
GIRTHS = ("chest", "waist", "hip")
COUNTED = tuple(name for name in MEASURES if name != "stature")


def shown(batch: Batch, inputs: str, weight: bool = False, sex: bool = True) -> RegressorInput:
    """A batch with the given views, weight and sex for everybody."""
    one = torch.ones(len(batch.image))
    return regressor_input(batch, torch.tensor(INPUTS[inputs]).expand(len(one), 2), one * weight, one * sex)


def predict(network: Regressor, given: RegressorInput) -> RegressorOutput:
    """What the network says, in evaluation mode."""
    training = network.training
    network.eval()
    with torch.no_grad():
        found = network(given)
    network.train(training)
    return found


def tapes_mm(ours_m: Tensor, true_m: Tensor) -> dict[str, float]:
    """Mean absolute error (mm) of each tape (N, 16)."""
    return dict(zip(MEASURES, (1000 * (ours_m - true_m).abs().mean(0)).tolist(), strict=True))


def figures(network: Regressor, loss: Loss, batch: Batch) -> dict[str, float]:
    """Errors with one and two views, sex told, weight not: tapes (mm), pose and turn (degrees), keypoints (crop px)."""
    found = {}
    for inputs in INPUTS:
        pred, off = predict(network, shown(batch, inputs)), per_measure(network, batch, inputs)
        found |= {f"{inputs}_{name}_mae_mm": off[name] for name in GIRTHS}
        found[f"{inputs}_mae15_mm"] = sum(off[name] for name in COUNTED) / len(COUNTED)
        numbers = network.numbers(batch.shapes.betas, batch.shapes.tapes_m)
        found[f"{inputs}_nats"] = float(likelihood(pred, numbers).mean())
        found[f"{inputs}_betas_rms"] = float((pred.mean - numbers)[:, :SHAPES].square().mean().sqrt())
    return found | positions(loss, pred, batch)


def positions(loss: Loss, pred: RegressorOutput, batch: Batch) -> dict[str, float]:
    """Errors of pose and camera over both views."""
    ours, true = pred.views, batch.views
    pose = (ours.pose - true.pose).unflatten(-1, (POSE // 3, 3)).norm(dim=-1)
    cosine = ((ours.turn.mT @ true.turn).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    with torch.no_grad():
        spots = project_keypoints(loss.body, loss.points, pred.betas, ours, batch.frame)
    return {
        "pose_deg": float(pose.mean().rad2deg()),
        "turn_deg": float(cosine.clamp(-1, 1).arccos().mean().rad2deg()),
        "depth_pct": 100 * float((ours.place[..., 2] - true.place[..., 2]).abs().mean()),
        "keypoints_px": float((spots - batch.true_points).norm(dim=-1).mean()),
    }


def stature_only(known: Shapes, people: Shapes) -> dict[str, float]:
    """Mean absolute error (mm) of each tape where only stature and sex are told: a line through ``known`` people."""
    design = [
        encoding.subject_features(some.stature_m, torch.zeros_like(some.weight_kg), some.sex)[:, :TOLD]
        for some in (known, people)
    ]
    line = torch.linalg.lstsq(design[0].double(), known.tapes_m.double()).solution
    return tapes_mm((design[1].double() @ line).float(), people.tapes_m)


def per_measure(network: Regressor, batch: Batch, inputs: str, weight: bool = False) -> dict[str, float]:
    """Mean absolute error (mm) of each tape the network reads, sex told."""
    pred = predict(network, shown(batch, inputs, weight))
    return tapes_mm(network.tapes_m(pred.mean), batch.shapes.tapes_m)
