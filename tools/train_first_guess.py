"""Train the first guess at full size and publish it under models/pretrained.

    python tools/train_first_guess.py [PARTICIPANTS] [FOLDER]

PARTICIPANTS is the file of stage 11_people (default data/people/participants.npz), FOLDER holds checkpoints and
TensorBoard's files (default .run/training/first_guess). Stopped, it goes on from the last round when started again.
The committed weights took 22 minutes of half a core of an AMD EPYC with AVX-512; no GPU was at hand.
"""

import sys

import torch

from avatarlab import ROOT
from avatarlab.body import Body
from avatarlab.core.progress import ProgressLine
from avatarlab.fit.regressor.predict import place
from avatarlab.fit.regressor.train import RegressorSettings, publish, train
from avatarlab.learn.trainer import forget
from avatarlab.synthetic import Participants

SETTINGS = RegressorSettings(rounds=20, people=512, passes=5, width=16, lined=1024, checked=96, bfloat16=True)


def main(people_file: str = "data/people/participants.npz", folder: str = ".run/training/first_guess") -> None:
    """Train, write weights and card."""
    torch.set_num_threads(1)
    body, people = Body.load(), Participants.load(ROOT / people_file).of("train")
    module = train(body, SETTINGS, ROOT / folder, people, ProgressLine(every_s=10))
    publish(place("pretrained"), module, body, people)
    forget(ROOT / folder)


if __name__ == "__main__":
    main(*sys.argv[1:3])
