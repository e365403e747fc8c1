"""Training of the causal model on windows of motion: mirrored, disturbed, with controllers that get lost.

No stage trains it: ``python tools/train_motion.py causal`` does, and writes the published weights.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import roma
import torch
from torch import Tensor

from avatarlab.learn import weights
from avatarlab.learn.trainer import OnStep, Schedule, TrainingModule, train
from avatarlab.motion.causal.features import DeviceTokens, device_tokens, lost_for
from avatarlab.motion.causal.loss import Weights, terms
from avatarlab.motion.causal.model import Network, load_network
from avatarlab.motion.data.library import Library, weights_name
from avatarlab.motion.data.windows import Window, Windows
from avatarlab.motion.rotations import about_vertical, from_6d, to_6d
from avatarlab.motion.trackers import RATE

FRAMES = 96
"""Frames of a training sequence."""
PUBLISHED = Schedule(steps=6000, batch=32, learning_rate=2e-3, weight_decay=0.01, bfloat16=True)
"""How the published weights were trained on `common`; a split goes on from them with TUNED."""
TUNED = replace(PUBLISHED, steps=1500, learning_rate=1e-3)
SECONDS_A_STEP = 0.2
"""Of one core, measured in bfloat16."""
AVERAGE = 0.998
"""The weights that are kept are the moving average of those that learn; this share of it stays at each step."""
EXAMPLE = 256
"""Sequences from which the tokens' spread and the mean pose are taken."""


@dataclass(frozen=True)
class Disturbance:
    """What real devices do: each is worn a little off (standard deviations ``offset_m``, ``offset_rad``, constant in a
    sequence), the floor is ``floor_m`` off, and a share ``lost`` of the controllers is lost once, up to 2 s."""

    offset_m: float = 0.01
    offset_rad: float = 0.03
    floor_m: float = 0.01
    lost: float = 0.15


class CausalTraining(TrainingModule):
    """The causal network under training; its moving average is what is kept."""

    SEEDED = False  # as the published weights were trained

    def __init__(
        self, network: Network, windows: Windows, schedule: Schedule, disturbance: Disturbance | None = None
    ):
        super().__init__(network, schedule, AVERAGE)
        self.windows, self.weights = windows, Weights()
        self.disturbance = disturbance or Disturbance()

    def loss(self, batch: torch.Generator) -> dict[str, Tensor]:
        with torch.no_grad():
            window, tokens = examples(self.windows, self.schedule.batch, self.disturbance, batch)
            true = self.windows.skeleton.fk(window.rotations)[0]
            head = window.device_positions[:, :, 0]
        with self.half():
            pred = self.network(tokens)
        turns = about_vertical(tokens.yaw)[:, :, None] @ from_6d(pred.rotations)
        return terms(turns, pred.contact, true, self.windows.skeleton, self.weights, head - shifted(head))


def examples(
    windows: Windows, count: int, disturbance: Disturbance, generator: torch.Generator
) -> tuple[Window, DeviceTokens]:
    """``count`` windows as they were and the tokens of what disturbed devices say of them."""
    window = windows.draw(count, generator)
    rotations, positions = disturbed(window.device_rotations, window.device_positions, disturbance, generator)
    lost = lost_for(tracked(count, windows.length, disturbance.lost, generator).to(positions.device))
    before = shifted(rotations), shifted(positions)
    return window, device_tokens((rotations, positions), before, lost, shifted(lost))


def disturbed(rotations: Tensor, positions: Tensor, by: Disturbance, generator) -> tuple[Tensor, Tensor]:
    """Device rotations (B, T, 3, 3, 3) and positions (B, T, 3, 3) m as devices worn a little off would say them."""

    def noise(*shape: int) -> Tensor:
        return torch.randn(len(positions), 1, *shape, generator=generator).to(positions.device)

    turn = roma.rotvec_to_rotmat(noise(3, 3) * by.offset_rad)
    positions = positions + (rotations @ (noise(3, 3) * by.offset_m)[..., None])[..., 0]
    return rotations @ turn, positions + noise(1, 1) * by.floor_m * positions.new_tensor((0.0, 0.0, 1.0))


def tracked(count: int, length: int, share: float, generator: torch.Generator) -> Tensor:
    """(B, T, 3): in a ``share`` of the sequences a controller is lost, from 3 frames to 2 s; some are lost already."""
    begin = torch.randint(-30, length, (count, 1, 2), generator=generator)
    lasts = torch.randint(3, int(2 * RATE), (count, 1, 2), generator=generator)
    hit = torch.rand(count, 1, 2, generator=generator) < share
    frame = torch.arange(length)[None, :, None]
    lost = hit & (frame >= begin) & (frame < begin + lasts)
    return torch.cat([torch.ones(count, length, 1, dtype=torch.bool), ~lost], -1)


def shifted(x: Tensor) -> Tensor:
    """Sequences (B, T, ...) one frame later; the first frame stands twice."""
    return torch.cat([x[:, :1], x[:, :-1]], 1)


def fresh(windows: Windows, settings: dict, seed: int) -> Network:
    """A network that knows nothing but the spread of what it will see, and the mean pose."""
    torch.manual_seed(seed)
    network = Network(**settings)
    window, tokens = examples(windows, EXAMPLE, Disturbance(0, 0, 0, 0), torch.Generator().manual_seed(seed))
    true = windows.skeleton.fk(window.rotations)[0]
    network.learn(tokens, to_6d(about_vertical(-tokens.yaw)[:, :, None] @ true))
    return network


def learn(
    library: Library, split: str, schedule: Schedule, folder: Path, start: Path | None = None,
    settings: dict | None = None, tell: OnStep | None = None,
) -> tuple[Network, list]:  # fmt: skip
    """Train on the split's train side, from the weights ``start`` if given -> the averaged network, the history.

    ``settings`` are the network's; over ``start`` only ``dropout`` makes sense.
    """
    windows = Windows(library, library.split(split)[0], FRAMES, schedule.device)
    settings = settings or {}
    network = fresh(windows, settings, schedule.seed) if start is None else load_network(start, **settings)
    run = {"split": split, "schedule": asdict(schedule), "network": network.settings, "start": str(start)}
    module = train(CausalTraining(network.train(), windows, schedule), folder, run, tell)
    return module.trained, module.history


def run(
    library: Library, split: str, out: Path, schedule: Schedule | None = None, start: Path | None = None,
    commit: str | None = None, settings: dict | None = None, tell: OnStep | None = None, metrics: Callable | None = None,
) -> Network:  # fmt: skip
    """``learn``, and write weights and card to ``out``; ``metrics(network)`` gives the card's numbers."""
    schedule = schedule or (PUBLISHED if start is None else TUNED)
    name = weights_name("causal", split)
    network, _ = learn(library, split, schedule, Path(out) / f"{name}_run", start, settings, tell)
    parameters = {"network": network.settings, "schedule": asdict(schedule), "frames": FRAMES}
    origin = library.origin(library.split(split)[0], split)
    card = weights.card(
        parameters=parameters, metrics=metrics(network) if metrics else {}, commit=commit, **origin
    )
    weights.save(Path(out) / f"{name}.safetensors", network.state_dict(), card)
    return network
