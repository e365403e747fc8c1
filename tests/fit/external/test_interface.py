"""One guess of several, whom a box holds, and kinds that are not there."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avatarlab.core.errors import InputError
from avatarlab.fit import external
from avatarlab.fit.estimator.state import start_view
from avatarlab.fit.external import interface
from avatarlab.fit.regressor.predict import Guess


def guess(value, shaped=True):
    view = start_view(torch.full((55, 3), value), 0.0, 1000.0)
    return Guess(torch.full((10,), value) if shaped else None, None, (view,))


def test_guesses_of_two_photos_become_one():
    both = external.together([guess(1.0), guess(3.0)])
    assert torch.equal(both.betas, torch.full((10,), 2.0)) and len(both.views) == 2
    assert external.together([guess(1.0), guess(3.0, shaped=False)]).betas is None
    assert external.together([guess(1.0), None]) is None and external.together([]) is None


class Seen(str):
    """What a photo shows, as words; ``worn`` adds the clothes."""

    def worn(self, clothes):
        return f"{self}, {clothes}"


def test_without_a_regressor_photos_are_only_observed(monkeypatch):
    monkeypatch.setattr(interface, "observe", lambda photo, view: Seen(f"{photo} from {view}"))
    expected = {"front": "a from front, tight", "side": "b from side, tight"}
    assert external.looked({"front": "a", "side": "b"}, clothes="tight") == (expected, None)


def test_with_one_every_photo_is_asked():
    def regressor(photo, view):
        return Seen(f"{photo} {view}"), guess(float(len(photo)))

    seen, found = external.looked({"front": "a", "side": "bbb"}, regressor)
    assert seen == {"front": "a front, any", "side": "bbb side, any"}
    assert float(found.betas[0]) == 2 and len(found.views) == 2


def test_boxes_and_places():
    mask = np.zeros((50, 80), bool)
    mask[10:30, 5:9] = True
    seen = SimpleNamespace(mask=mask, name="x")
    assert interface.box(seen).tolist() == [5, 10, 4, 20]
    with pytest.raises(InputError, match="no person's outline"):
        interface.box(SimpleNamespace(mask=mask & False, name="x"))
    for depth in (0.01, 2500.0, float("nan")):  # 2500: millimetres taken for metres
        assert interface.view_state(seen, torch.eye(3), torch.tensor([0, 0, depth]), torch.zeros(55, 3)) is None


def test_kinds(tmp_path, body):
    assert external.load("none", body) is None
    with pytest.raises(InputError, match="regressor: got 'hmr', expected one of none, nlf, pixie"):
        external.load("hmr", body)
    for kind, expected in (("nlf", r"nlf\*.torchscript"), ("pixie", "pixielib")):
        with pytest.raises(InputError, match=f"{expected}.*docs/licensed.md"):
            external.load(kind, body, tmp_path)
