"""Train the first guess at full size and publish it under models/pretrained.

    python bench/train_first_guess.py [PARTICIPANTS] [FOLDER]

PARTICIPANTS is the file of stage 11_people (default data/people/participants.npz), FOLDER holds checkpoints and
TensorBoard's files (default .run/training/first_guess). Stopped, it goes on from the last round when started again.
The committed weights took 22 minutes of half a core of an AMD EPYC with AVX-512; no GPU was at hand.
"""

import subprocess
import sys
import time

import torch

from avatarlab import ROOT
from avatarlab.body import Body
from avatarlab.fit.regressor.predict import weights_path
from avatarlab.fit.regressor.publishing import publish
from avatarlab.fit.regressor.train import CHECKPOINT, RegressorSettings, train
from avatarlab.learn.trainer import forget
from avatarlab.synthetic import Participants

SETTINGS = RegressorSettings(rounds=20, people=512, passes=5, width=16, lined=1024, checked=96, bfloat16=True)


def main(people_file: str = "data/people/participants.npz", folder: str = ".run/training/first_guess") -> None:
    """Train, tell every ten seconds, write weights and card."""
    torch.set_num_threads(1)
    body, people, begin, told = Body.load(), Participants.load(ROOT / people_file).of("train"), time.time(), [0.0]

    def tell(step: int, steps: int, loss: float) -> None:
        if time.time() - told[0] > 10:
            told[0] = time.time()
            print(f"{step}/{steps}, loss {loss:.2f}, {time.time() - begin:.0f} s", flush=True)

    module = train(body, SETTINGS, ROOT / folder, people, tell)
    metrics = {name: round(value, 3) for name, value in module.history[-1].items() if name != "step"}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    publish(weights_path("pretrained"), module, body, people, metrics, commit.strip())
    forget(ROOT / folder, CHECKPOINT)


if __name__ == "__main__":
    main(*sys.argv[1:3])
