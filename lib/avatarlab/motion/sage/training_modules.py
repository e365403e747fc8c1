"""One training module of learn.trainer for each part of the stratified model: what it draws, and its loss."""

import torch
from torch import Tensor, nn

from avatarlab.learn.trainer import Schedule, TrainingModule
from avatarlab.motion.data.windows import Window, Windows
from avatarlab.motion.rotations import to_6d
from avatarlab.motion.sage import losses
from avatarlab.motion.sage.codebook import Codebook
from avatarlab.motion.sage.model import Codebooks, Sage, tracker_features, without_dropout
from avatarlab.motion.sage.rollouts import Rollouts
from avatarlab.motion.sage.sampling import add_noise
from avatarlab.motion.skeleton import LOWER, UPPER

PARTS = {"upper": UPPER, "lower": LOWER}


class SageTraining(TrainingModule):
    """Trains one part of ``model``; the others are used as they are."""

    def __init__(self, network: nn.Module, schedule: Schedule, model: Sage | Codebooks, windows: Windows | None):
        super().__init__(network, schedule)
        self.settings, self.windows = model.settings, windows
        self.whole = (without_dropout(model).to(schedule.device),)  # in a tuple: none of Lightning's business
        network.requires_grad_(True).train()

    @property
    def model(self) -> Sage | Codebooks:
        """All parts."""
        return self.whole[0]

    def draw(self, generator: torch.Generator) -> tuple[Window, Tensor]:
        """A batch as the settings want it, and the trackers (B, L, 3, 18) as networks see them."""
        window = self.windows.draw(self.schedule.batch, generator, mirror=self.settings.mirror)
        return shown(window, self.settings)


def shown(window: Window, settings) -> tuple[Window, Tensor]:
    """A window of L + 1 frames -> itself as the settings see it, without the first frame; its features (B, L, 3, 18)."""
    window = window.seen_from_last() if settings.normalised else window
    sparse = tracker_features(window.device_rotations, window.device_positions, settings)
    parts = (window.rotations, window.positions, window.device_rotations, window.device_positions)
    return Window(*(x[:, 1:] for x in parts)), sparse


class CodebookTraining(SageTraining):
    """The VQ-VAE of one part, ``upper`` or ``lower``."""

    def __init__(self, part: str, schedule: Schedule, codebooks: Codebooks, windows: Windows):
        super().__init__(getattr(codebooks, part), schedule, codebooks, windows)
        self.joints = PARTS[part]

    def loss(self, batch: torch.Generator) -> dict[str, Tensor]:
        window, sparse = self.draw(batch)
        pose = to_6d(window.rotations[:, :, list(self.joints)])
        with self.half():
            z = self.network.encode(self.network.masked(pose, batch), sparse)
        coded = self.network.quantiser(z.float())
        with self.half():
            pred = self.network.decode(coded.latent)
        terms = losses.part_terms(pred.float(), pose, self.joints, self.windows.skeleton, self.settings)
        return losses.total(terms | {"codes": coded.distance}, losses.PART_WEIGHTS)


class DenoiserTraining(SageTraining):
    """The denoiser of one part; that of ``lower`` is told the upper latents as they are sampled, not the true ones."""

    def __init__(self, part: str, schedule: Schedule, model: Sage, codebooks: Codebooks, windows: Windows):
        super().__init__(getattr(model, f"{part}_denoiser"), schedule, model, windows)
        self.part, self.codebook = part, (without_dropout(getattr(codebooks, part)).to(schedule.device),)

    def loss(self, batch: torch.Generator) -> dict[str, Tensor]:
        window, sparse = self.draw(batch)
        with torch.no_grad(), self.half():
            true = latents(self.codebook[0], window.rotations[:, :, list(PARTS[self.part])], sparse)
            true = true / self.network.spread
            noise = torch.randn(true.shape, generator=batch).to(true)
            above = self.model.upper_latents(sparse, noise) if self.part == "lower" else None
        noisy, times = add_noise(true, batch)
        with self.half():
            known = self.network.condition(sparse, None if self.settings.normalised else batch)
            pred = self.network(noisy, times, known, above)
        apart = nn.functional.smooth_l1_loss(pred.float(), true, reduction="none")
        return {"total": (apart * importance(self.codebook[0])).mean()}


def latents(codebook: Codebook, rotations: Tensor, sparse: Tensor) -> Tensor:
    """The quantised latents (B, L/2, latent) of a part's true rotations (B, L, J, 3, 3)."""
    z = codebook.encode(to_6d(rotations), sparse)
    with torch.autocast(z.device.type, enabled=False):
        return codebook.quantiser(z.float()).latent


def importance(codebook: Codebook) -> Tensor | float:
    """How much each number of a part's latents counts (L/2, latent): what it moves, where that is known; else alike."""
    return codebook.movements.importance() if codebook.movements else 1.0


class DecoderTraining(SageTraining):
    """The full-body decoder on sampled latents: alone, or ``whole`` with gradients through both chains of sampling."""

    def __init__(self, schedule: Schedule, model: Sage, windows: Windows, whole: bool):
        trained = [model.decoder, model.upper_denoiser, model.lower_denoiser] if whole else [model.decoder]
        super().__init__(nn.ModuleList(trained), schedule, model, windows)
        self.through = whole

    def loss(self, batch: torch.Generator) -> dict[str, Tensor]:
        window, sparse = self.draw(batch)
        shape = (len(sparse), self.settings.tokens, self.settings.latent)
        noise = torch.randn(shape, generator=batch).to(sparse)
        with self.half():
            with torch.set_grad_enabled(self.through):
                both = self.model.latents(sparse, noise)
            pred = self.model.decoder(sparse, *both)
        skeleton = self.windows.skeleton
        terms = losses.body_terms(pred.float(), window.rotations, window.positions, skeleton, self.settings)
        return losses.total(terms, losses.BODY_WEIGHTS)


class RefinerTraining(SageTraining):
    """The refiner on streams of what the other parts say."""

    def __init__(self, schedule: Schedule, model: Sage, streams: Rollouts):
        super().__init__(model.refiner, schedule, model, None)
        self.streams = streams

    def loss(self, batch: torch.Generator) -> dict[str, Tensor]:
        stream = self.streams.draw(self.schedule.batch, batch)
        pred, _ = self.network(stream.pose, stream.sparse, None, stream.yaw)
        terms = losses.stream_terms(pred, stream.yaw, stream.rotations, stream.positions, self.streams.skeleton)
        return losses.total(terms, losses.STREAM_WEIGHTS)
