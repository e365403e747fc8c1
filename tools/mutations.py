"""Change one line of the library at a time and see whether a test turns red: the figures rest on these functions.

    python tools/mutations.py [word ...]      only mutations whose file or name contains one of the words

Each mutation is made in a temporary copy of lib/ and tests/; its test files must pass without it and fail with it. A mutation
that survives, or whose line is no longer there, ends the run with status 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Mutation(NamedTuple):
    """``old`` stands once in lib/avatarlab/``file`` and becomes ``new``; ``tests`` under tests/ must see it."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = (
    Mutation("tape's length", "measure/girth.py", "count).sum(-1) * (math.pi / count)",
             "count).sum(-1) * (math.pi / (count + 1))", "measure/test_girth.py"),
    Mutation("plane section", "measure/girth.py", "share = one[..., 2:] / (one[..., 2:] - other[..., 2:])",
             "share = torch.full_like(one[..., 2:], 0.5)", "measure/test_girth.py"),
    Mutation("longest tape", "measure/girth.py", 'girth.argmax(1) if rule == "max"',
             'girth.argmin(1) if rule == "max"', "measure/test_girth.py"),
    Mutation("weight of a volume", "measure/volume.py", "sum((-1, -2)) / 6", "sum((-1, -2)) / 3",
             "measure/test_volume.py"),
    Mutation("MPJPE", "motion/evaluate/metrics.py", "(true - pred).norm(dim=-1).mean(-2)", "(true - pred).norm(dim=-1).amax(-2)",
             "motion/evaluate/test_metrics.py"),
    Mutation("MPJRE", "motion/evaluate/metrics.py", "wrapped.abs().mean((-3, -2, -1))", "wrapped.norm(dim=-1).mean((-2, -1))",
             "motion/evaluate/test_metrics.py"),
    Mutation("jitter", "motion/kinematics.py", "positions.diff(n=3", "positions.diff(n=2",
             "motion/evaluate/test_metrics.py"),
    Mutation("foot skating", "motion/evaluate/metrics.py", "list(FEET), :2].diff", "list(FEET), :].diff", "motion/evaluate/test_metrics.py"),
    Mutation("silhouette's gradient", "render/silhouette.py", "(along - along.detach()) * outward)",
             "(along - along.detach()))", "render/test_silhouette.py"),
    Mutation("silhouette's coverage", "render/silhouette.py", "found.share[rim] * past * outward",
             "past * outward", "render/test_silhouette.py"),
    Mutation("stature's constraint", "fit/estimator/shape.py", "along * (stature_m - value) / (slope @ along)",
             "along * (stature_m - value) / (along @ along)", "fit/estimator/test_shape.py"),
    Mutation("stature's direction", "fit/estimator/shape.py", "along = covariance @ slope\n        betas",
             "along = slope\n        betas", "fit/estimator/test_shape.py"),
    Mutation("certainty given stature", "fit/estimator/shape.py", "covariance - torch.outer(along, along) / (slope @ along)",
             "covariance - 0.5 * torch.outer(along, along) / (slope @ along)", "fit/estimator/test_shape.py"),
    Mutation("posterior's update", "fit/estimator/posterior.py", "covariance - back @ gain @ covariance",
             "covariance - 0.9 * back @ gain @ covariance", "fit/estimator/test_posterior.py"),
    Mutation("interval's factor", "fit/estimator/posterior.py", "covariance * np.outer(wide, wide)",
             "covariance * np.outer(wide, wide) ** 0.5", "fit/estimator/test_posterior.py"),
    Mutation("factor's learning", "fit/train/crossvalidation.py", "quantile(one if len(one) >= ENOUGH else off[seen])",
             "0.9 * quantile(one if len(one) >= ENOUGH else off[seen])", "fit/train/test_learning.py"),
    Mutation("skinning", "body/skinning.py", "features = local[:, 1:] - torch.eye(3", "features = local[:, 1:] - 0 * torch.eye(3",
             "body/test_model.py"),
    Mutation("blending", "body/skinning.py", "t[:, :, 2] * z + t[:, :, 3]", "t[:, :, 2] * z + t[:, :, 3] * 0.999",
             "body/test_model.py"),
    Mutation("GLB's inverse bind", "export/glb.py", "inverse[:, :3, 3] = -rig.joints", "inverse[:, :3, 3] = -0.99 * rig.joints",
             "export/test_glb.py"),
)  # fmt: skip


def copied(place: Path) -> None:
    """A checkout at ``place`` with library and tests of its own; everything else is linked."""
    for path in ROOT.iterdir():
        if path.name in ("lib", "tests"):
            shutil.copytree(path, place / path.name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif path.name != ".git":
            (place / path.name).symlink_to(path)


def passes(place: Path, tests: str) -> bool:
    """Run test files of the checkout at ``place``; RuntimeError where they do not even start."""
    words = [sys.executable, "-m", "pytest", f"tests/{tests}", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    env = {"AVATARLAB_DATA": str(ROOT.parent / "shared" / "data"), **os.environ, "OMP_NUM_THREADS": "1"}
    env |= {"PYTHONPATH": str(place / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=place, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"tests/{tests} do not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


def fate(one: Mutation, place: Path) -> str:
    """What becomes of a mutation in the checkout at ``place``, which is put right again."""
    path = place / "lib" / "avatarlab" / one.file
    text = path.read_text()
    if text.count(one.old) != 1:
        return "the line is gone"
    path.write_text(text.replace(one.old, one.new))
    try:
        return "survived" if passes(place, one.tests) else "killed"
    finally:
        path.write_text(text)


def main(words: list[str]) -> int:
    chosen = [one for one in MUTATIONS if not words or any(word in f"{one.file} {one.name}" for word in words)]
    fates = []
    with tempfile.TemporaryDirectory() as scratch:
        copied(place := Path(scratch))
        sound = {tests: passes(place, tests) for tests in sorted({one.tests for one in chosen})}
        for one in chosen:
            fates.append(fate(one, place) if sound[one.tests] else "its tests fail without it")
            print(f"{fates[-1]:10s} {one.name}: {one.file}, tests/{one.tests}", flush=True)
    print(f"{fates.count('killed')} of {len(fates)} killed")
    return int(fates.count("killed") < len(fates))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
