"""Names that older programs import keep working, with a word about the new place."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("avatarlab.subject", "avatarlab.core.subject", "Subject"),
        ("avatarlab.motion.live", "avatarlab.motion.capture.live", "Live"),
    ],
)
def test_an_old_place_hands_on_and_says_where_to(old, new, name):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old}: import {name} from {new}"):
        found = getattr(importlib.import_module(old), name)
    assert found is getattr(importlib.import_module(new), name)
