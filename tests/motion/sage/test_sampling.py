"""The diffusion of latents: the schedule's closed forms, few steps, little noise."""

import math
from dataclasses import replace

import pytest
import torch

from avatarlab.motion.sage import PAPER, TINY
from avatarlab.motion.sage.model import Sage
from avatarlab.motion.sage.sampling import add_noise, fixed_noise, sample, scheduler


def cosine(t: int) -> float:
    """Share of the signal after t + 1 steps of the squared cosine's schedule, by its definition."""

    def bar(u):
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - bar((k + 1) / 1000) / bar(k / 1000), 0.999) for k in range(t + 1)]
    return math.prod(1 - beta for beta in betas)


def test_schedule_is_the_squared_cosine():
    shares = scheduler().alphas_cumprod
    for t in (0, 200, 400, 600, 800, 999):
        assert float(shares[t]) == pytest.approx(cosine(t), abs=2e-5)


def test_five_steps_begin_at_800():
    five = scheduler(5)
    assert five.timesteps.tolist() == [800, 600, 400, 200, 0]
    expected = [0.0931, 0.3393, 0.6460, 0.8978, 0.99996]
    assert [float(five.alphas_cumprod[t]) for t in five.timesteps] == pytest.approx(expected, abs=1e-4)


def test_scheduler_says_what_the_paper_says():
    config = scheduler().config
    assert config.prediction_type == "sample" and config.beta_schedule == "squaredcos_cap_v2"
    assert not config.clip_sample and not config.set_alpha_to_one and config.num_train_timesteps == 1000


@pytest.mark.parametrize(("start", "most"), [(0.01, 0.0021), (1.0, 0.0071)])
def test_a_perfect_denoiser_is_nearly_exact(start, most):
    generator = torch.Generator().manual_seed(0)
    true, noise = (torch.randn(8, 10, 384, generator=generator) for _ in range(2))
    pred = sample(lambda x, t: true, noise, replace(PAPER, start_noise=start))
    rms = float((pred - true).square().mean().sqrt())
    assert 0 < rms < most * 1.02


@pytest.mark.parametrize(("steps", "spacing"), [(1, "trailing"), (2, "trailing"), (2, "leading"), (5, "leading")])
def test_as_many_calls_as_steps(steps, spacing):
    times = []
    settings = replace(TINY, ddim_steps=steps, spacing=spacing)
    sample(lambda x, t: times.append(int(t)) or x, torch.randn(2, 10, TINY.latent), settings)
    assert len(times) == steps and times == sorted(times, reverse=True)


def test_repeatable_and_hardly_random():
    torch.manual_seed(0)
    model, sparse = Sage(replace(TINY, ddim_steps=5, spacing="leading")).eval(), torch.randn(2, 20, 3, 18)
    spread = {}
    with torch.no_grad():
        for start in (0.01, 1.0):
            model.settings = replace(model.settings, start_noise=start)
            pred = [model.upper_latents(sparse, fixed_noise(model.settings, seed)) for seed in (1, 1, 2)]
            assert torch.equal(pred[0], pred[1])
            spread[start] = float((pred[0] - pred[2]).square().mean().sqrt())
    assert 0 < spread[0.01] < 0.1 * spread[1.0]


def test_noise_grows_with_time():
    clean = torch.randn(4000, 1, 4, generator=torch.Generator().manual_seed(1))
    noisy, times = add_noise(clean, torch.Generator().manual_seed(2))
    early, late = times < 50, times > 950
    assert (noisy - clean)[early].std() < 0.15 and abs(float(noisy[late].std()) - 1) < 0.1
    correlation = torch.corrcoef(torch.stack([noisy[late].flatten(), clean[late].flatten()]))[0, 1]
    assert abs(float(correlation)) < 0.2
    assert int(times.min()) >= 0 and int(times.max()) <= 999 and abs(float(times.float().mean()) - 500) < 20


def test_gradients_flow_through_the_chain():
    weight = torch.tensor(0.5, requires_grad=True)
    sample(lambda x, t: weight * torch.ones_like(x), torch.randn(1, 10, 384), PAPER).sum().backward()
    assert weight.grad is not None and float(weight.grad) > 0
