"""Skin tone: the angle, the swatches, and intervals that hold the truth of rendered faces under lights made elsewhere."""

import numpy as np
import pytest
import torch
from sitters import seen

from avatarlab import DATA
from avatarlab.photo import observe, skin
from avatarlab.photo import tone as toning
from avatarlab.photo.observation import SkinSample
from avatarlab.photo.tone import ita, ita_class, monk, monk_lab, monk_rgb, tone
from avatarlab.render.picture import to_linear, to_srgb
from avatarlab.synthetic import rendered

ONE_MAN = ("apose_tada1", "apose_tada3", "apose_wide", "side_lunge_left", "test_a", "test_c", "tpose_t4")
ONE_MAN += ("tpose_t5_wide", "warrior0", "y1")


def shown(lab, mad=(2.0, 1.0, 1.0)) -> SkinSample:
    lab = np.float32(lab)
    return SkinSample(lab, np.float32(mad), skin.to_rgb(lab[None])[0], 500)


def test_angle_in_closed_form():
    assert np.allclose(ita([[60, 9, 10], [50, 0, 20], [40, 3, 10], [67.32, 0, 10]]), [45, 0, -45, 60], atol=0.01)
    assert ita([70, 5, -4]) > 85, "bluer than grey is no skin: the angle must not leap to the other side"


@pytest.mark.parametrize(
    ("angle", "name"),
    [(60, "very light"), (50, "light"), (30, "intermediate"), (20, "tan"), (0, "brown"), (-31, "dark")],
)
def test_classes_of_the_angle(angle, name):
    assert ita_class(angle) == name


def test_every_swatch_is_its_own_value():
    assert monk(monk_lab()).tolist() == list(range(1, 11)) and monk_rgb().shape == (10, 3)
    assert monk_rgb()[0].tolist() == [246, 237, 228] and monk_rgb()[9].tolist() == [41, 36, 32]
    assert monk(monk_lab()[4] + [0.5, 0.5, -0.5]) == 5
    assert (np.diff(monk_lab()[[0, 3, 4, 5, 6, 7, 8, 9], 0]) < 0).all(), "darker with every value"


def test_lighter_faces_are_lighter_and_all_is_repeatable():
    dark, tan, fair = (tone(shown(lab)) for lab in ((34, 13, 15), (52, 14, 19), (70, 13, 16)))
    assert dark.ita_deg < -10 < tan.ita_deg < 30 < fair.ita_deg and dark.monk > tan.monk > fair.monk
    for one in (dark, tan, fair):
        assert one.ita_interval_deg[0] < one.ita_deg < one.ita_interval_deg[1]
        assert one.monk_interval[0] <= one.monk <= one.monk_interval[1]
    assert tan == tone(shown((52, 14, 19))) and tan.as_json()["coverage"] == 0.9


def test_a_face_of_uneven_colour_is_less_certain():
    even, uneven = tone(shown((60, 14, 17), (0.5, 0.5, 0.5))), tone(shown((60, 14, 17), (8, 2, 4)))
    assert np.ptp(uneven.ita_interval_deg) > np.ptp(even.ita_interval_deg) + 3


def cast(lab, gains) -> SkinSample:
    linear = to_linear(torch.tensor(skin.to_rgb(np.float32([lab])))) * torch.tensor(gains)
    return shown(skin.to_lab(np.rint(255 * to_srgb(linear).numpy()).astype(np.uint8))[0])


def test_casts_are_taken_off_in_part():
    lab, warm, cold = (62.0, 14.0, 17.0), (1.12, 1.0, 0.75), (0.92, 1.0, 1.3)
    found = [tone(cast(lab, gains)) for gains in (warm, cold)]
    lit, own = (abs(a - b) for a, b in zip(*((t.ita_as_lit_deg, t.ita_deg) for t in found), strict=True))
    assert lit > 20 and own < 0.5 * lit, f"{lit:.0f} degrees apart as lit, {own:.0f} as estimated"
    red_less_blue = [t.srgb[0] - t.srgb[2] for t in found]
    assert abs(red_less_blue[0] - red_less_blue[1]) < 0.12


def sitters(body, seeds):
    """Yield (linear picture, face points, CIELAB of the skin's own colour) of made-up people seen from the front."""
    for seed in seeds:
        chance = np.random.default_rng(seed)
        look = rendered.colours(body, chance)
        hand = look[body.part == body.parts.index("l_hand")].median(0).values
        photo = rendered.shot(body, torch.zeros(48), look, 0.0, chance, "front").photo
        truth = skin.to_lab(np.rint(255 * hand.numpy())[None].astype(np.uint8))[0]
        yield to_linear(torch.from_numpy(photo.rgb / 255.0)).numpy(), observe(photo).face, truth


def taken(linear, chance) -> np.ndarray:
    """The picture as a camera gives it under another light: blackbody-like, balanced by gray-world, exposed by its whites."""
    mired, tint = chance.uniform(-30, 205), chance.normal(0, 0.05)
    lit = linear * np.exp([0.0022 * mired, -tint, -0.0042 * mired])
    mean = lit.mean((0, 1))
    balanced = lit / (mean / mean[1]) ** chance.uniform(0.6, 1.0)
    white = np.percentile(balanced @ [0.2126, 0.7152, 0.0722], 98)
    exposed = np.clip(0.80 / white * np.exp(chance.normal(0, 0.3)) * balanced, 0, 1)
    return np.rint(255 * to_srgb(torch.from_numpy(exposed)).numpy()).astype(np.uint8)


@pytest.fixture(scope="module")
def shot_faces(open_body):
    """Pairs of what a photo shows and the skin's own CIELAB: five people under fourteen lights each."""
    pairs = []
    for linear, face, truth in sitters(open_body, range(5)):
        chance = np.random.default_rng(len(pairs))
        samples = (skin.sample_skin(taken(linear, chance), face) for _ in range(14))
        pairs += [(sample, truth) for sample in samples if sample]
    return pairs


def covered(pairs) -> np.ndarray:
    """Share of faces whose angle, and whose Monk value, lies in the interval."""
    found = [(tone(sample), truth) for sample, truth in pairs]
    angles = [t.ita_interval_deg[0] <= ita(truth) <= t.ita_interval_deg[1] for t, truth in found]
    values = [t.monk_interval[0] <= monk(truth) <= t.monk_interval[1] for t, truth in found]
    return np.mean([angles, values], axis=1)


def test_intervals_hold_the_truth_about_as_often_as_they_say(shot_faces, monkeypatch):
    angles, values = covered(shot_faces)
    assert len(shot_faces) > 60 and 0.85 <= angles <= 0.99 and values >= 0.85
    monkeypatch.setattr(toning, "LIGHT_SD", 0.05)
    monkeypatch.setattr(toning, "CAST_SD", (0.02, 0.02))
    assert covered(shot_faces)[0] < 0.75, "whoever trusts the light is wrong more often"


@pytest.mark.skipif(not (DATA / "photos").is_dir(), reason="the photographs are not at hand")
def test_ten_photos_of_one_man_agree_better_than_as_lit():
    tones = [tone(seen(f"ibm_yogait_{name}").skin) for name in ONE_MAN]
    lit, own = np.std([[t.ita_as_lit_deg, t.ita_deg] for t in tones], axis=0)
    assert lit > 15 and own < 0.6 * lit
    low, high = max(t.ita_interval_deg[0] for t in tones), min(t.ita_interval_deg[1] for t in tones)
    assert low < high, "one angle must fit all intervals"
