"""All parts of the stratified model as one module: from the trackers of windows to poses; kept as one file."""

from pathlib import Path
from typing import Self

from torch import Tensor, nn

from avatarlab.core.errors import InputError
from avatarlab.core.shapes import expect
from avatarlab.learn import weights
from avatarlab.motion.sage.codebook import Codebook
from avatarlab.motion.sage.decoder import FullBodyDecoder
from avatarlab.motion.sage.denoiser import Denoiser
from avatarlab.motion.sage.refiner import Refiner
from avatarlab.motion.sage.sampling import fixed_noise, sample
from avatarlab.motion.sage.settings import SageSettings
from avatarlab.motion.skeleton import LOWER, UPPER
from avatarlab.motion.trackers import features

STILL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The rotation that is none, in six numbers."""


class Stored(nn.Module):
    """A network that is kept as float16 safetensors with a card that says its settings."""

    settings: SageSettings

    def save(self, path: str | Path, card: dict) -> None:
        """Write weights and card."""
        weights.save(path, self.state_dict(), {**card, "settings": self.settings.as_dict()})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what ``save`` wrote; weights of another network raise InputError."""
        tensors, card = weights.load(path)
        try:
            network = cls(SageSettings(**card["settings"]))
            network.load_state_dict(tensors)
        except (KeyError, TypeError, RuntimeError):
            raise InputError(
                f"{path}: not the weights of a {cls.__name__}; the stages 21 to 24 write them."
            ) from None
        return network.eval()


class Codebooks(Stored):
    """The VQ-VAEs of upper and lower body: what the diffusions learn to say; not needed to answer."""

    def __init__(self, settings: SageSettings):
        super().__init__()
        self.settings = settings
        self.upper, self.lower = Codebook(settings, len(UPPER)), Codebook(settings, len(LOWER))


class Sage(Stored):
    """Denoisers, decoder and refiner of one Settings: all that answers."""

    def __init__(self, settings: SageSettings):
        super().__init__()
        self.settings = settings
        self.upper_denoiser, self.lower_denoiser = Denoiser(settings), Denoiser(settings, above=True)
        self.decoder, self.refiner = FullBodyDecoder(settings), Refiner(settings)

    def latents(self, sparse: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Trackers (B, L, 3, 18), noise (B or 1, L/2, latent) of size one -> sampled upper and lower latents."""
        upper = self.upper_latents(sparse, noise)
        return upper, self.lower_latents(sparse, upper, noise)

    def upper_latents(self, sparse: Tensor, noise: Tensor) -> Tensor:
        """The upper body's latents (B, L/2, latent) as the trackers (B, L, 3, 18) suggest them."""
        known = self.upper_denoiser.condition(sparse)
        return sample(
            lambda x, time: self.upper_denoiser(x, time, known), noise.expand(len(sparse), -1, -1), self.settings
        )

    def lower_latents(self, sparse: Tensor, upper: Tensor, noise: Tensor) -> Tensor:
        """The lower body's, which the upper one's are part of."""
        known = self.lower_denoiser.condition(sparse)
        return sample(
            lambda x, time: self.lower_denoiser(x, time, known, upper),
            noise.expand(len(sparse), -1, -1),
            self.settings,
        )

    def forward(self, sparse: Tensor, noise: Tensor) -> Tensor:
        """Trackers of windows (B, L, 3, 18), noise -> unrefined rotations of all their frames (B, L, 22, 6)."""
        return self.decoder(sparse, *self.latents(sparse, noise))

    @property
    def noise(self) -> Tensor:
        """The noise that poses are sampled from when no other is wished (1, L/2, latent)."""
        return fixed_noise(self.settings).to(self.decoder.positions.device)


def tracker_features(rotations: Tensor, positions: Tensor, settings: SageSettings) -> Tensor:
    """Devices over L + 1 frames, rotations (..., 3, 3, 3) and positions (..., 3, 3) m -> what networks see (..., L, 3, 18).

    SAGE's features; where ``settings.normalised``, brought to like size: velocities less what they are at rest, rates
    ten times and metres a second instead of metres a frame, the height less a metre.
    """
    expect("rotations", rotations, (..., settings.window + 1, 3, 3, 3))
    plain = features(rotations, positions)
    return scale_features(plain) if settings.normalised else plain


def scale_features(plain: Tensor) -> Tensor:
    """SAGE's features (..., 18) at like size."""
    shift = plain.new_tensor((0.0,) * 6 + STILL + (0.0, 0.0, 1.0) + (0.0,) * 3)
    scale = plain.new_tensor((1.0,) * 6 + (10.0,) * 6 + (2.0,) * 3 + (60.0,) * 3)
    return (plain - shift) * scale


def without_dropout(module: nn.Module) -> nn.Module:
    """``module`` in eval mode and with no gradients: a part that is used, not trained."""
    return module.eval().requires_grad_(False)


def parts(model: Sage) -> dict[str, int]:
    """Numbers of each part."""
    return {name: weights.size(part) for name, part in model.named_children()}
