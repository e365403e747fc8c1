"""Animate a person by a recording of a headset and two controllers.

    python -m avatarlab.export.animate RECORDING --out FOLDER --stature-cm 178

RECORDING is the text of SAGE's Quest app (.txt) or a CSV with times (.csv; columns time_s, head_x head_y head_z head_qx
head_qy head_qz head_qw, the same for left and right, if wanted head_tracked ...; OpenXR's axes, metres, seconds). Begin
with a second in T-pose: upright, arms straight out, palms down, looking ahead. FOLDER gets clip.npz (AMASS), clip.bvh,
animated.glb, clip.mp4, sage_result.npz and calibration.json, all or nothing. Exit status: 0 done, 2 it could not be.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from avatarlab import ROOT
from avatarlab.body import Body, Person
from avatarlab.core.errors import InputError, number
from avatarlab.core.files import publish
from avatarlab.export.animated_glb import write_animated_glb
from avatarlab.export.bvh import write_bvh
from avatarlab.export.filming import FilmShot, write_film
from avatarlab.learn.weights import WHICH
from avatarlab.motion import models
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.session import Session, held
from avatarlab.motion.clip import Clip
from avatarlab.motion.data.library import Library
from avatarlab.motion.postprocess import PostProcessed
from avatarlab.motion.predictor import Predictor

LIBRARY = ROOT / "data" / "motion" / "motion.npz"
FINISHED = ("causal",)
"""Models that bring feet and wrists to their positions themselves."""


def predictor(name: str, split: str, which: str, figure: Figure, library: Path = LIBRARY) -> Predictor:
    """The model ``name`` of a split, on the figure's skeleton, with feet and wrists in place.

    Baselines learn from the ``library``; networks need none.
    """
    if name in models.NETWORKS:
        model = models.NETWORKS[name](models.weights_file(name, split, which), figure.skeleton)
    else:
        model = models.load(name, split, Library.load(library))
    return model if name in FINISHED else PostProcessed(model, figure.skeleton)


def write_all(
    folder: str | Path, body: Body, person: Person, clips: dict[str, Clip], film_fps: float = 30.0, shot: FilmShot | None = None
) -> dict[str, dict]:  # fmt: skip
    """Write the first clip on ``person`` as clip.npz, sage_result.npz, clip.bvh and animated.glb; film all side by side.

    Returns what each writer says, by file name. ``film_fps`` 0 leaves clip.mp4 out.
    """
    folder, clip = Path(folder), next(iter(clips.values()))
    clip.save(folder / "clip.npz")
    clip.save_sage(folder / "sage_result.npz")
    written = {"clip.bvh": write_bvh(folder / "clip.bvh", body, person, clip)}
    written["animated.glb"] = write_animated_glb(folder / "animated.glb", body, person, clip)
    if film_fps:
        written["clip.mp4"] = write_film(folder / "clip.mp4", body, person, clips, film_fps, shot)
    return written


def clip_of(session: Session, model: str) -> Clip:
    """A session's motion as a Clip, which says how it came about."""
    facts = {
        "model": model,
        "recording": Path(session.raw.source).name,
        "user_over_figure": session.calibration.scale,
    }
    return Clip.of(session.motion, **facts)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m avatarlab.export.animate", description=__doc__, formatter_class=form
    )
    parser.add_argument("recording", metavar="RECORDING", type=Path, help="Quest text (.txt) or CSV (.csv)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where results go; replaced whole"
    )
    parser.add_argument("--model", choices=models.NAMES, default=models.NAMES[-1], help="default: %(default)s")
    parser.add_argument(
        "--split", default="random", help="whose training (default: %(default)s, which has seen most)"
    )
    parser.add_argument(
        "--weights", choices=WHICH, default=WHICH[0], help="learned weights (default: %(default)s)"
    )
    parser.add_argument("--stature-cm", type=float, help="the user's; else found from the headset's height")
    parser.add_argument(
        "--floor-cm", type=float, help="height of the floor; else 0, or found where a stature is given"
    )
    parser.add_argument(
        "--tpose", type=float, nargs=2, metavar=("START", "STOP"), help="seconds; else it is looked for"
    )
    parser.add_argument(
        "--person", type=Path, help="person.npz of whom to animate (default: the body's mean shape)"
    )
    parser.add_argument(
        "--body", type=Path, help="body file (default: a licensed one if there is, else the open one)"
    )
    parser.add_argument(
        "--film-fps", type=float, default=30.0, help="of clip.mp4; 0 leaves it out (default: %(default)s)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    given = arguments().parse_args(argv)
    try:
        sys.stdout.write(_animated(given) + "\n")
    except (InputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _animated(given: argparse.Namespace) -> str:
    """Do what the command line asks for; return what there is to say."""
    if given.film_fps:
        number("--film-fps", given.film_fps, 1, 60, "frames a second, or 0 for no film")
    body = Body.load(given.body)
    figure = Figure.of(body)
    person = Person.load(given.person, body) if given.person else Person({}, figure.stature)
    facts = [None if x is None else x / 100 for x in (given.stature_cm, given.floor_cm)]
    model = predictor(given.model, given.split, given.weights, figure)
    session = held(given.recording, model, figure, *facts, given.tpose)
    with tempfile.TemporaryDirectory(prefix="animate-") as scratch:
        made = Path(scratch) / "made"
        write_all(made, body, person, {"": clip_of(session, given.model)}, given.film_fps)
        session.calibration.save(made / "calibration.json")
        publish({made: given.out.resolve()})
    took = statistics.median(session.took_ms)
    return f"{given.out}: {len(session.took_ms)} poses, {took:.1f} ms each; {_size(session, figure)}"


def _size(session: Session, figure: Figure) -> str:
    calibration = session.calibration
    return f"user {100 * calibration.scale * figure.stature:.0f} cm, T-pose at {calibration.start_s:.1f} to {calibration.stop_s:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
