"""The first guess of shape, pose and camera, from which the search starts: a network's, where its weights are."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.state import ViewState
from avatarlab.fit.regressor import encoding
from avatarlab.fit.regressor.crop import CHANNELS, COLUMNS, ROWS, CropWindow, channels, cut, window
from avatarlab.fit.regressor.model import POINTS, SHAPES, TAPE_M, VIEWS, Regressor, RegressorInput, RegressorOutput
from avatarlab.learn import weights as files
from avatarlab.measure import MEASURES
from avatarlab.photo import skeleton

if TYPE_CHECKING:
    from avatarlab.body import Body
    from avatarlab.fit.estimator.target import Target

NAME, STAGE = "first_guess", "train_regressor"
CHOICES = ("network", "starts")
TAUGHT = ("studio", "everyday")
"""Captures on which the network is the default: it learned from masks like theirs, and there a fit from its guess is faster
and no worse. On real photographs several starts still end nearer to the outline (README)."""
WHOLE = (skeleton.SHOULDERS, skeleton.HIPS, skeleton.ANKLES)
"""Pairs of keypoints of which one must be in the picture: the network knows whole people, standing, only."""


@dataclass(frozen=True, eq=False)
class Guess:
    """betas (S,) or None where only pose and camera are guessed, their covariance (S, S) or None, a view per photo.

    Views are in the pixels of the targets (working size). tapes_m and tape_sd_m: the 16 tapes of the relaxed body and
    their standard deviations, m, as the network reads them itself, or None; it has measured bodies that betas cannot say.
    """

    betas: Tensor | None
    covariance: Tensor | None
    views: tuple[ViewState, ...]
    tapes_m: dict[str, float] | None = None
    tape_sd_m: dict[str, float] | None = None


class FirstGuess:
    """The network with its weights: ``FirstGuess.load()(targets, subject, body)`` -> Guess."""

    def __init__(self, tensors: dict[str, Tensor], card: dict):
        """tensors as training saves them; a card without ``width`` or tensors that do not fit raise InputError."""
        self.card = card
        try:
            self.network = Regressor(int(card["parameters"]["width"]))
            self.network.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"first_guess: weights of another network ({reason}); train them again.") from None
        self.network.eval()

    @classmethod
    def load(cls, weights: str | Path = "pretrained") -> "FirstGuess":
        """Load ``pretrained`` or ``trained`` weights, or those at a path; any trouble raises InputError."""
        return cls(*files.load(weights_path(weights)))

    def __call__(self, targets: "tuple[Target, ...]", subject: Subject, body: "Body") -> Guess:
        """Guess from one view or more of one person, at least a mask in each; weight and sex may be unknown."""
        subject_features = encoding.subject_features(
            torch.tensor([subject.stature_m]),
            torch.tensor([subject.weight_kg or 0.0]),
            torch.tensor([encoding.SEX_CODE[subject.sex]]),
        )
        views: dict[int, ViewState] = {}
        shape = None
        for group in groups([slot(target) for target in targets]):
            chosen = {slot(targets[number]): targets[number] for number in group}
            frames = {k: _frame(target, subject.stature_m) for k, target in chosen.items()}
            pred = self._pred(chosen, frames, subject_features)
            shape = shape or pred
            for number in group:
                k = slot(targets[number])
                view = encoding.View(*(part[:, k] for part in pred.views))
                views[number] = encoding.view_state(view, frames[k], targets[number].focal_px)
        return Guess(*self._shape(shape, body), tuple(views[k] for k in range(len(targets))), *self._tapes(shape))

    def _pred(
        self, chosen: "dict[int, Target]", frames: dict[int, encoding.Frame], subject_features: Tensor
    ) -> RegressorOutput:
        """What the network says of the targets by slot."""
        shown = [_shown(chosen.get(k), frames.get(k), k) for k in range(VIEWS)]
        present = torch.tensor([[float(k in chosen) for k in range(VIEWS)]])
        with torch.no_grad():
            return self.network(
                RegressorInput(
                    *(torch.stack(part)[None] for part in zip(*shown, strict=True)), present, subject_features
                )
            )

    def _shape(self, pred: RegressorOutput, body: "Body") -> tuple[Tensor | None, Tensor | None]:
        """betas (S,) and covariance (S, S); None for a body of other components than the network was trained on."""
        if not files.usable_on(NAME, self.card, body.bases, "the guess is of pose and camera alone"):
            return None, None
        return pred.betas[0], torch.diag(pred.log_variance[0, :SHAPES].exp())

    def _tapes(self, pred: RegressorOutput) -> tuple[dict[str, float], dict[str, float]]:
        """The tapes and their standard deviations, m by name."""
        std = TAPE_M * (0.5 * pred.log_variance[0, SHAPES:]).exp()
        values = self.network.tapes_m(pred.mean)[0]
        return tuple(dict(zip(MEASURES, numbers.tolist(), strict=True)) for numbers in (values, std))


def weights_path(weights: str | Path) -> Path:
    """Where weights are: those called ``pretrained`` or ``trained``, or a path."""
    return files.find(NAME, STAGE, weights) if weights in files.WHICH else Path(weights)


@lru_cache(maxsize=4)
def _kept(path: Path, changed_ns: int) -> FirstGuess:
    return FirstGuess.load(path)


def first_guess(targets, subject: Subject, body, weights: str | Path = "pretrained") -> Guess:
    """The Guess of ``FirstGuess``; the network is kept between calls, missing weights raise InputError."""
    path = weights_path(weights)
    return _kept(path, path.stat().st_mtime_ns if path.is_file() else 0)(targets, subject, body)


def choose_guess(
    guess: Guess | str | None, targets, subject: Subject, body, weights: str | Path = "pretrained"
) -> Guess | None:
    """What the search starts from: a Guess as it is, the network's for "network", None for "starts".

    None chooses the network where its weights are there and the pictures are of the kind it was taught (TAUGHT) and
    show whole people, else several starts. The weight is not told: it has its say in the posterior.
    """
    if isinstance(guess, Guess) or guess == "starts":
        return guess if isinstance(guess, Guess) else None
    if guess is not None and guess not in CHOICES:
        raise InputError(
            f"guess: got {guess!r}, expected a Guess, {' or '.join(CHOICES)}, or None for the default."
        )
    default = weights_path(weights).is_file() and all(target.observation.capture in TAUGHT for target in targets)
    usable = all(shows_whole_person(target) for target in targets) and (guess or default)
    return first_guess(targets, subject.unweighed(), body, weights) if usable else None


def shows_whole_person(target: "Target") -> bool:
    """True if the picture shows somebody standing, from shoulders to ankles."""
    seen = target.seen.numpy() > 0
    standing = "not_standing" not in target.observation.codes
    return standing and bool(target.mask.any()) and all(seen[list(pair)].any() for pair in WHOLE)


def slot(target: "Target") -> int:
    """The network's slot of a view: 0 front, 1 side."""
    return int(target.side)


def groups(slots: list[int]) -> list[list[int]]:
    """Numbers of the views, gathered so that the network sees as many at once as it has slots for."""
    found: list[list[int]] = []
    for number, mine in enumerate(slots):
        free = [group for group in found if mine not in [slots[k] for k in group]]
        (free[0] if free else found.append([]) or found[-1]).append(number)
    return found


def _window(target: "Target") -> CropWindow:
    return window(target.soft > 0.5)


def _frame(target: "Target", stature_m: float) -> encoding.Frame:
    """The Frame (1,) of a target's crop."""
    here = _window(target)
    numbers = ((here.left, here.top), here.scale, target.focal_px, target.size, stature_m)
    return encoding.frame(*(torch.tensor([number], dtype=torch.float32) for number in numbers))


def _shown(target: "Target | None", frame: encoding.Frame | None, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """image, points and frame features of slot k as in ``RegressorInput``, for one person; zeros where there is no view."""
    if target is None:
        return torch.zeros(CHANNELS, ROWS, COLUMNS), torch.zeros(POINTS, 3), torch.zeros(encoding.FRAME)
    here, observation = _window(target), target.observation
    points = np.concatenate([here.inside(target.keypoints.numpy()), observation.keypoints[:, 2:]], 1)
    image = channels(cut(target.soft, here), points[:, :2], ("front", "side")[k])
    extra = torch.tensor(
        [[*encoding.CAPTURE_CODE[observation.capture], float(observation.focal_source == "exif")]]
    )
    features = encoding.frame_features(frame, torch.tensor([float(k)]), extra)[0]
    return torch.from_numpy(image), torch.from_numpy(points).float(), features
