"""Bodies that have given tapes: Levenberg-Marquardt over any family of bodies that is linear in its coordinates."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch

from avatarlab.body import Body, poses
from avatarlab.measure.tape import dimensions, tapes
from avatarlab.measure.volume import weight_kg

log = logging.getLogger(__name__)

STEP_LIMIT = 0.5
"""Longest step of any parameter per iteration; phenotypes interact too strongly for full Gauss-Newton steps."""


@dataclass(frozen=True)
class Bodies:
    """A family of standing bodies: vertices = base (V, 3) + z @ modes (M, V, 3) in metres, z from parameters theta.

    ``coordinates(theta (N, P)) -> z (N, M)`` and ``jacobian(theta) -> (N, M, P)``; ``low`` and ``high`` (P,) bound
    the parameters, ``std`` (P,) is the standard deviation of each about its centre when nothing else is known. All of one float type.
    """

    base: torch.Tensor
    modes: torch.Tensor
    coordinates: Callable[[torch.Tensor], torch.Tensor]
    jacobian: Callable[[torch.Tensor], torch.Tensor]
    low: torch.Tensor
    high: torch.Tensor
    std: torch.Tensor

    def vertices(self, z: torch.Tensor) -> torch.Tensor:
        """Return standing vertices (N, V, 3) in metres."""
        return self.base + (z @ self.modes.flatten(1)).view(len(z), *self.base.shape)


@dataclass(frozen=True, eq=False)
class Standing:
    """Standing bodies with components betas (S,): vertices = base (V, 3) + betas @ modes (S, V, 3), metres."""

    base: torch.Tensor
    modes: torch.Tensor

    def vertices(self, betas: torch.Tensor) -> torch.Tensor:
        """betas (S,) -> vertices (1, V, 3) m."""
        return self.base[None] + torch.tensordot(betas[None], self.modes, 1)


_tables: WeakKeyDictionary = WeakKeyDictionary()


def standing(body: Body, count: int) -> Standing:
    """The table of one body over its first ``count`` components, made once."""
    found = _tables.get(body)
    if found is None or len(found.modes) != count:
        with torch.no_grad():
            base = body(pose=poses.standing()).vertices
            units = [body(betas=unit, pose=poses.standing()).vertices - base for unit in torch.eye(count)]
        found = _tables[body] = Standing(base, torch.stack(units))
    return found


def read(body, vertices: torch.Tensor, names: tuple[str, ...], definition: str) -> list[torch.Tensor]:
    """Measure standing vertices (N, V, 3): each named tape or dimension in metres, or ``weight`` in kg, as (N,)."""
    values = tapes(body, vertices, definition)
    if not values.keys() >= set(names) - {"weight"}:
        values |= dimensions(body, vertices)
    if "weight" in names:
        values["weight"] = weight_kg(body, vertices)
    return [values[name] for name in names]


def slopes(values: list[torch.Tensor], vertices: torch.Tensor, modes: torch.Tensor) -> torch.Tensor:
    """Return d values (K of (N,)) / d z as (N, K, M). People are independent, so one backward per measure; a tape
    touches a hundred vertices, so only those meet the modes."""
    rows = []
    for column in values:
        gradient = torch.autograd.grad(column.sum(), vertices, retain_graph=True)[0]
        touched = (gradient != 0).any(2).any(0).nonzero()[:, 0]
        few = 2 * len(touched) < modes.shape[1]  # weight touches all: picking them would copy every mode
        rows.append(_along(gradient[:, touched], modes[:, touched]) if few else _along(gradient, modes))
    return torch.stack(rows, 1)


def _along(gradient: torch.Tensor, modes: torch.Tensor) -> torch.Tensor:
    """Gradients (N, V, 3) times modes (M, V, 3) -> (N, M)."""
    return gradient.flatten(1) @ modes.flatten(1).T


def match(
    body,
    bodies: Bodies,
    targets: torch.Tensor,
    names: tuple[str, ...],
    sigma: torch.Tensor,
    centre: torch.Tensor,
    definition: str = "ansur",
    iterations: int = 12,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find parameters whose bodies have the target measures, as near as possible to each person's ``centre``.

    targets (N, K) in metres (kg for ``weight``) named by ``names``, tolerated to ``sigma`` (K,); centre (N, P) is
    where the search starts and what the unmeasured directions stay close to. Returns theta (N, P) and the measures
    reached (N, K). Parameters stay within ``bodies.low`` and ``bodies.high``. A step that makes a body worse is taken
    back and damped (Levenberg-Marquardt per body).
    """
    best = _look(body, bodies, targets, names, sigma, centre, centre, definition)
    damping = torch.full_like(centre[:, 0], 0.1)
    for step in range(iterations):
        trial = (best.theta + _step(best, damping, bodies.std)).clamp(bodies.low, bodies.high)
        seen = _look(body, bodies, targets, names, sigma, centre, trial, definition)
        better = seen.cost < best.cost
        damping = torch.where(better, damping / 4, damping * 6)
        best = _Look(*(torch.where(_like(better, new), new, old) for new, old in zip(seen, best, strict=True)))
        log.debug("match: step %d, median cost %.2f", step, best.cost.median())
    return best.theta, best.values


class _Look(NamedTuple):
    """What one place of the search shows: theta (N, P), cost (N,), measures (N, K), normal matrix and gradient."""

    theta: torch.Tensor
    cost: torch.Tensor
    values: torch.Tensor
    normal: torch.Tensor
    gradient: torch.Tensor


def _like(chosen: torch.Tensor, array: torch.Tensor) -> torch.Tensor:
    return chosen.view(-1, *[1] * (array.ndim - 1))


def _look(body, bodies: Bodies, targets, names, sigma, centre, theta, definition) -> _Look:
    vertices = bodies.vertices(bodies.coordinates(theta)).requires_grad_()
    values = read(body, vertices, names, definition)
    rise = slopes(values, vertices, bodies.modes) @ bodies.jacobian(theta)
    scaled = rise / sigma[:, None] * bodies.std
    values = torch.stack(values, -1).detach()
    residual, pull = (values - targets) / sigma, (theta - centre) / bodies.std
    gradient = (scaled.mT @ residual[..., None])[..., 0] + pull
    cost = residual.square().sum(1) + pull.square().sum(1)
    return _Look(theta, cost, values, scaled.mT @ scaled + torch.eye(theta.shape[1], dtype=theta.dtype), gradient)


def _step(at: _Look, damping: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Solve the damped normal equations, no parameter moving further than STEP_LIMIT."""
    ridge = damping[:, None] * (1 + 0.01 * at.normal.diagonal(dim1=1, dim2=2))
    step = -torch.linalg.solve(at.normal + torch.diag_embed(ridge), at.gradient) * std
    return step * (STEP_LIMIT / step.abs().amax(-1, keepdim=True).clamp_min(STEP_LIMIT))


def match_all(body, bodies: Bodies, targets: torch.Tensor, centre: torch.Tensor, batch: int = 20, **kwargs):
    """``match`` in batches on all cores: one thread a batch, so results do not depend on their number.

    Yields (done, theta (N, P) so far, measures (N, K) so far) after each batch, in order.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = []
    try:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            parts = zip(targets.split(batch), centre.split(batch), strict=True)
            jobs = [pool.submit(match, body, bodies, t, centre=c, **kwargs) for t, c in parts]
            for job in jobs:
                found.append(job.result())
                theta, values = (torch.cat(column) for column in zip(*found, strict=True))
                yield len(theta), theta, values
    finally:
        torch.set_num_threads(threads)
