"""The stratified model's networks: sizes of the paper, shapes, codes, movements, what depends on what."""

import pytest
import torch

from avatarlab.core.errors import InputError
from avatarlab.learn import weights
from avatarlab.motion.sage import PAPER, SMALL, TINY
from avatarlab.motion.sage.codebook import Codebook, Quantiser, used_codes
from avatarlab.motion.sage.denoiser import Denoiser
from avatarlab.motion.sage.model import Codebooks, Sage, scale_features
from avatarlab.motion.sage.pose_pca import PosePCA, slot_shares
from avatarlab.motion.sage.refiner import Refiner, filter_stream
from avatarlab.motion.skeleton import LOWER, UPPER
from avatarlab.motion.trackers import features

CARD = dict(data="made up", parameters={}, commit="none", metrics={}, licence="none")


def test_full_size_is_the_papers():
    assert round(weights.size(Denoiser(PAPER)) / 1e6, 2) == 57.97
    assert round(weights.size(Denoiser(PAPER, above=True)) / 1e6, 2) == 58.26
    assert round(weights.size(Refiner(PAPER)) / 1e6, 3) == 2.636


def test_published_size_is_small():
    assert weights.size(Sage(SMALL)) < 2.5e6 and weights.size(Sage(SMALL)) + weights.size(Codebooks(SMALL)) < 3e6


@pytest.mark.parametrize(("joints", "numbers"), [(UPPER, 84), (LOWER, 54)])
def test_papers_codebook_has_its_shapes(joints, numbers):
    net = Codebook(PAPER, len(joints)).eval()
    pose, sparse = torch.randn(2, 20, len(joints), 6), torch.randn(2, 20, 3, 18)
    z = net.encode(pose, sparse)
    coded = net.quantiser(z)
    assert pose[0, 0].numel() == numbers and z.shape == coded.latent.shape == (2, 10, 384)
    assert net.quantiser.entries.shape == (8, 64, 48) and coded.indices.shape == (2, 10, 8)
    assert int(coded.indices.min()) >= 0 and int(coded.indices.max()) <= 63
    assert net.decode(coded.latent).shape == pose.shape


def test_codes_are_the_nearest():
    quantiser, z = Quantiser(3, 5, 2).eval(), torch.randn(2, 4, 6)
    coded = quantiser(z)
    for b, t, k in ((0, 0, 0), (1, 3, 2), (1, 0, 1)):
        piece = z[b, t, 2 * k : 2 * k + 2]
        nearest = (quantiser.entries[k] - piece).norm(dim=-1).argmin()
        assert coded.indices[b, t, k] == nearest
        torch.testing.assert_close(coded.latent[b, t, 2 * k : 2 * k + 2], quantiser.entries[k, nearest])


def test_gradients_pass_codes_straight_through():
    quantiser, z = Quantiser(2, 4, 3).eval(), torch.randn(2, 5, 6, requires_grad=True)
    weight = torch.randn(2, 5, 6)
    (quantiser(z).latent * weight).sum().backward()
    torch.testing.assert_close(z.grad, weight)
    assert quantiser.entries.grad is None or not quantiser.entries.grad.any()


def test_codes_and_latents_are_drawn_together():
    quantiser, z = Quantiser(2, 4, 3).eval(), torch.randn(2, 5, 6, requires_grad=True)
    quantiser(z).distance.backward()
    assert z.grad.any() and quantiser.entries.grad.any()


def test_dead_codes_revive():
    torch.manual_seed(0)
    quantiser, kept = Quantiser(2, 64, 4), 0.1 * torch.randn(16, 32, 8)
    with torch.no_grad():  # ten times too wide apart: the few codes near the middle take everything
        assert used_codes(quantiser.eval()(kept).indices, 64).max() < 10
        for _ in range(20):
            quantiser.train()(0.1 * torch.randn(16, 32, 8))
    assert used_codes(quantiser.eval()(kept).indices, 64).min() > 20


def test_perplexity_counts_codes():
    even, one = torch.arange(8)[:, None].repeat(3, 1), torch.zeros(9, 1, dtype=torch.long)
    torch.testing.assert_close(used_codes(even, 8), torch.tensor([8.0]), rtol=1e-4, atol=0)
    torch.testing.assert_close(used_codes(one, 8), torch.tensor([1.0]), rtol=1e-4, atol=0)


def test_k_means_finds_clusters():
    generator = torch.Generator().manual_seed(3)
    centres = torch.tensor([[-5.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    z = centres[torch.randint(3, (40, 10), generator=generator)] + 0.01 * torch.randn(
        40, 10, 2, generator=generator
    )
    quantiser = Quantiser(1, 6, 2).eval()
    quantiser.settle(z, generator)
    assert (quantiser(z).latent - z).norm(dim=-1).max() < 0.1


def test_slots_have_equally_much_to_say():
    values = [2.0**-k for k in range(24)]
    slots = slot_shares(values, 12, 3)
    assert sorted(k for slot in slots for k in slot) == list(range(24))
    assert max(map(len, slots)) <= 3 and [len(slot) for slot in slots] == sorted(len(slot) for slot in slots)


def test_movements_lose_nothing_where_there_are_enough():
    torch.manual_seed(1)
    few = torch.randn(6, 20 * 9 * 6)
    pose = (torch.randn(50, 6) @ few).view(50, 20, 9, 6) + torch.randn(20, 9, 6)
    movements = PosePCA(TINY, 9)
    assert not movements.measured
    movements.measure(pose, torch.linspace(0.1, 0.6, 9))
    latents = movements.taken(pose)
    assert movements.measured and latents.shape == (50, TINY.tokens, TINY.latent)
    torch.testing.assert_close(movements.given(latents), pose, rtol=1e-3, atol=1e-2)
    assert movements.importance().mean().item() == pytest.approx(1, rel=1e-4)


def test_lower_denoiser_heeds_the_upper_latents():
    torch.manual_seed(0)
    model, sparse = Sage(TINY).eval(), torch.randn(2, 20, 3, 18)
    upper = torch.randn(2, TINY.tokens, TINY.latent)
    with torch.no_grad():
        one, other = (model.lower_latents(sparse, x, model.noise) for x in (upper, -upper))
    assert (one - other).abs().max() > 1e-3
    with pytest.raises(ValueError, match="above"):
        model.upper_denoiser(upper, torch.zeros(1), model.upper_denoiser.condition(sparse), upper)
    with pytest.raises(ValueError, match="above"):
        model.lower_denoiser(upper, torch.zeros(1), model.lower_denoiser.condition(sparse))


def test_condition_mask_hides_two_mixtures():
    net = Denoiser(TINY)
    seen = []
    net.frames.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    net.condition(torch.randn(5, 20, 3, 18), torch.Generator().manual_seed(1))
    hidden = (seen[0].unflatten(-1, (22, 18)) == 0.01).all(-1)
    assert (hidden.sum(-1) == 2).all() and (hidden == hidden[:, :1]).all()


def test_gates_follow():
    pose, half = torch.tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1), torch.full((1, 3, 1), 0.5)
    assert filter_stream(pose, half, None).flatten().tolist() == [0.0, 0.5, 0.75]
    assert filter_stream(pose, half, torch.full((1, 1, 1, 1), 1.0)).flatten().tolist() == [0.5, 0.75, 0.875]


def test_unlearned_refiner_of_the_paper_adds_nothing():
    pose, sparse = torch.randn(1, 4, 22, 6), torch.randn(1, 4, 3, 18)
    assert torch.equal(Refiner(PAPER)(pose, sparse)[0], pose)


def test_still_devices_have_features_of_zero_speed():
    rotations, positions = torch.eye(3).expand(4, 3, 3, 3), torch.ones(4, 3, 3)
    plain = features(rotations, positions)
    assert plain.shape == (3, 3, 18)
    assert plain[0, 0].tolist() == [1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0]
    assert not scale_features(plain)[..., 6:12].any() and not scale_features(plain)[..., 15:].any()


def test_kept_as_a_file(tmp_path):
    model = Sage(TINY)
    model.save(tmp_path / "x.safetensors", CARD)
    again = Sage.load(tmp_path / "x.safetensors")
    assert again.settings == TINY and not again.training
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name].float(), tensor.float(), rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match="Codebooks"):
        Codebooks.load(tmp_path / "x.safetensors")
