"""Sampling of latents with diffusers' DDIM scheduler: few steps, no fresh noise, started from almost nothing."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from avatarlab.motion.sage.settings import SageSettings

TIMES = 1000


def scheduler(steps: int | None = None, spacing: str = "leading"):
    """SAGE's diffusers DDIMScheduler (cosine, says the clean sample), set for ``steps`` where they are given."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler  # takes a second to import

    made = DDIMScheduler(
        num_train_timesteps=TIMES, beta_schedule="squaredcos_cap_v2", prediction_type="sample", clip_sample=False,
        set_alpha_to_one=False, steps_offset=0, timestep_spacing=spacing,
    )  # fmt: skip
    if steps is not None:
        made.set_timesteps(steps)
    return made


@functools.lru_cache(maxsize=16)
def _ready(steps: int, spacing: str):
    return scheduler(steps, spacing)


def sample(denoise: Callable[[Tensor, Tensor], Tensor], noise: Tensor, settings: SageSettings) -> Tensor:
    """Noise (B, T, latent) of size one -> latents (B, T, latent): ``settings.ddim_steps`` calls of ``denoise``.

    ``denoise(noisy, time (1,))`` says the clean latents. The noise is multiplied by ``settings.start_noise`` first:
    at 0.01 this is nearly a regression. Gradients flow through all steps.
    """
    ddim = _ready(settings.ddim_steps, settings.spacing)
    latents = noise * settings.start_noise
    for time in ddim.timesteps:
        pred = denoise(latents, time[None].to(latents.device)).float()
        latents = ddim.step(pred, int(time), latents, eta=0.0).prev_sample
    return latents


def add_noise(latents: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Clean latents (B, T, latent) of size one -> (noisy ones, their times (B,)), times drawn evenly."""
    times = torch.randint(TIMES, (len(latents),), generator=generator).to(latents.device)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    return _ready(TIMES, "leading").add_noise(latents, noise, times), times


def fixed_noise(settings: SageSettings, seed: int = 0) -> Tensor:
    """The noise (1, T, latent) that every window is sampled from, so that equal inputs give equal poses."""
    return torch.randn(1, settings.tokens, settings.latent, generator=torch.Generator().manual_seed(seed))
