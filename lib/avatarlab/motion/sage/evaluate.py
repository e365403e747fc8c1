"""How well a stratified model does on segments it has not seen: in short, for cards, curves and reports."""

from collections.abc import Sequence

import torch
from torch import Tensor

from avatarlab.motion.data.library import Library
from avatarlab.motion.data.windows import Windows
from avatarlab.motion.evaluate.metrics import averaged, scores
from avatarlab.motion.evaluate.segments import Bench
from avatarlab.motion.rotations import from_6d, to_6d
from avatarlab.motion.sage.codebook import used_codes
from avatarlab.motion.sage.losses import about_head
from avatarlab.motion.sage.model import Codebooks, Sage
from avatarlab.motion.sage.predict import SagePredictor
from avatarlab.motion.sage.training_modules import PARTS, importance, latents, shown
from avatarlab.motion.skeleton import COUNT, LOWER, UPPER

KEYS = (
    "mpjpe_cm",
    "mpjve_cm_s",
    "jitter_100m_s3",
    "mpjre_geodesic_deg",
    "upper_cm",
    "lower_cm",
    "root_cm",
    "hand_cm",
)


def scored(predictor: SagePredictor, library: Library, segments: Sequence[int]) -> dict[str, float]:
    """KEYS of the predictor on segments, clip by clip and then averaged."""
    rows, bench = [], Bench(library)
    for segment in segments:
        pred = scores(predictor.skeleton, bench.truth(segment), predictor.predict(bench.trackers(segment)))
        rows.append({key: float(pred[key]) for key in KEYS})
    return averaged(rows, KEYS)


@torch.no_grad()
def rebuilt(codebooks: Codebooks, windows: Windows, ends: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Windows that end at ``ends`` (B,) through both codebooks and back.

    Returns positions as decoded (B, L, 22, 3) and as they are, m from the head, and the indices of each part's codes. The
    root, which both parts say, is their mean.
    """
    window, sparse = shown(windows.at(ends), codebooks.settings)
    pose, indices = torch.zeros(*window.rotations.shape[:3], 6), {}
    for part, joints in PARTS.items():
        codebook = getattr(codebooks.eval(), part)
        coded = codebook.quantiser(codebook.encode(to_6d(window.rotations[:, :, list(joints)]), sparse))
        pose[:, :, list(joints)] += codebook.decode(coded.latent)
        indices[part] = coded.indices
    pose[:, :, 0] /= 2
    assert {*UPPER, *LOWER} == {*range(COUNT)}
    return about_head(windows.skeleton.fk(from_6d(pose))[1]), about_head(window.positions), indices


def codebook_figures(codebooks: Codebooks, windows: Windows, count: int = 2000) -> dict[str, float]:
    """Of ``count`` windows spread evenly over ``windows``: mean distance of joints after codes and back (cm), in the
    last frame and in all; the fewest codes that a book of each part uses (perplexity)."""
    ends = torch.linspace(0, len(windows) - 1, min(count, len(windows))).long()
    parts = [rebuilt(codebooks, windows, some) for some in ends.split(500)]
    off = torch.cat([100 * (pred - true).norm(dim=-1) for pred, true, _ in parts])
    found = {"reconstruction_cm": float(off[:, -1].mean()), "reconstruction_all_cm": float(off.mean())}
    for part in PARTS:
        used = used_codes(torch.cat([indices[part] for *_, indices in parts]), codebooks.settings.entries)
        found |= {f"{part}_codes_min": float(used.min()), f"{part}_codes_mean": float(used.mean())}
    return found


@torch.no_grad()
def latent_errors(model: Sage, codebooks: Codebooks, windows: Windows, count: int = 512) -> dict[str, float]:
    """Sampled against true latents of ``count`` windows spread over ``windows``, weighed by what they move.

    Root mean square errors as shares of what the mean of these very latents would score: 1 is worth nothing, 0 is
    perfect. ``lower_alone``: the lower denoiser is told zeros for the upper latents.
    """
    ends = torch.linspace(0, len(windows) - 1, min(count, len(windows))).long()
    window, sparse = shown(windows.at(ends), model.eval().settings)
    upper, lower = model.latents(sparse, model.noise)
    alone = model.lower_latents(sparse, torch.zeros_like(upper), model.noise)
    pred, found = {"upper": {"upper": upper}, "lower": {"lower": lower, "lower_alone": alone}}, {}
    for part, joints in PARTS.items():
        codebook = getattr(codebooks.eval(), part)
        true = latents(codebook, window.rotations[:, :, list(joints)], sparse)
        true, weight = true / getattr(model, f"{part}_denoiser").spread, importance(codebook)
        floor = (weight * (true - true.mean(0))).square().mean()
        for key, those in pred[part].items():
            found[key] = float(((weight * (those - true)).square().mean() / floor).sqrt())
    return found


def beside(predictor: SagePredictor, library: Library, segment: int) -> tuple[Tensor, Tensor]:
    """True and predicted positions (T, 22, 3) m of a segment."""
    bench = Bench(library)
    motions = bench.truth(segment), predictor.predict(bench.trackers(segment))
    return tuple(predictor.skeleton.fk(*motion)[1] for motion in motions)
