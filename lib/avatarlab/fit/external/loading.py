"""Which outside regressors there are, by name."""

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.fit.external.interface import ExternalRegressor
from avatarlab.fit.external.nlf import Nlf
from avatarlab.fit.external.pixie import Pixie

LOADERS = {"nlf": Nlf.load, "pixie": Pixie.load}
KINDS = ("none", *LOADERS)


def load(kind: str, body: Body, folder=None) -> ExternalRegressor | None:
    """The regressor called ``nlf`` or ``pixie`` with its files in models/licensed (or ``folder``); None for ``none``."""
    if kind not in KINDS:
        raise InputError(f"regressor: got {kind!r}, expected one of {', '.join(KINDS)}.")
    return LOADERS[kind](body, *([folder] if folder else [])) if kind in LOADERS else None
