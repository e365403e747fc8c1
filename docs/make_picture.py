"""Remake the README's picture from the pipeline's results: python docs/make_picture.py, after `make repro`."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image

from avatarlab import ROOT
from avatarlab.body import Body, Person, poses
from avatarlab.export.glb_reader import Glb
from avatarlab.fit.cases import read
from avatarlab.show import figures
from avatarlab.measure import Measurements, sections
from avatarlab.measure.draw import draw
from avatarlab.render import portrait

TALL = 720


def fitted(picture) -> np.ndarray:
    """Return a picture (H, W, 3) as uint8 of height TALL."""
    array = np.asarray(picture)
    image = Image.fromarray(array if array.dtype == np.uint8 else np.uint8(255 * np.clip(array, 0, 1) + 0.5))
    return np.asarray(image.convert("RGB").resize((round(image.width * TALL / image.height), TALL), Image.LANCZOS))


def taped(body: Body, person: Person) -> np.ndarray:
    """Return the figure of the standing body with its tapes, front half, as uint8."""
    found = Measurements.load(ROOT / "data/measure/rendered/measurements.json")
    standing = body(betas=person.betas(), pose=poses.standing()).vertices
    labels = {name: f"{name.replace('_', ' ')} {entry.value:.1f} cm" for name, entry in found.measures.items()}
    figure = draw(body, standing[: body.skin_count], sections(body, standing, found.definition), labels)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def acting(glb: Glb) -> np.ndarray:
    """Return the avatar as a viewer shows it, and its face in two actions, as one picture."""
    whole = portrait(glb.posed(), glb.faces, turn_deg=25, width=420, height=TALL)
    head = torch.as_tensor(glb.posed())[torch.as_tensor(glb.posed())[:, 1] > glb.posed()[:, 1].max() - 0.27]
    faces = [portrait(glb.posed({act: 1}), glb.faces, turn_deg=15, width=300, height=TALL // 2, around=head)
             for act in ("mouthSmileLeft", "jawOpen")]  # fmt: skip
    return np.concatenate([whole, np.concatenate(faces)], 1)


def main() -> None:
    figures.style()
    body = Body.load()
    person = Person.load(ROOT / "data/fit_photo/rendered/person.npz", body)
    astronaut, rendered = (read([{"name": n, "front": f, "stature_cm": 168.0} if n == "astronaut" else
                                 {"name": n, "front": f}], body)[0]
                           for n, f in (("astronaut", "skimage:astronaut"), ("rendered", "rendered:7")))  # fmt: skip
    overlay = [Image.open(ROOT / f"data/fit_photo/{n}/overlay_front.png") for n in ("astronaut", "rendered")]
    photos = [astronaut.photos["front"].rgb, rendered.photos["front"].rgb]
    titles = ["a photo", "the body in it", "photo and stature", "the fitted body", "sixteen tapes", "avatar.glb"]
    panels = [photos[0], overlay[0], photos[1], overlay[1], taped(body, person),
              acting(Glb(ROOT / "data/export/rendered/avatar.glb"))]  # fmt: skip
    panels = [fitted(panel) for panel in panels]
    rows = [(0, 1, 2, 3), (4, 5)]
    figure = plt.figure(figsize=(14, 10.4), dpi=100)
    for part, row in zip(figure.subfigures(2, 1, height_ratios=(5, 7)), rows, strict=True):
        grid = part.subplots(1, len(row), width_ratios=[panels[k].shape[1] for k in row])
        for axes, k in zip(grid, row, strict=True):
            axes.imshow(panels[k])
            axes.set_axis_off()
            axes.set_title(titles[k])
    figure.savefig(ROOT / "docs/picture.jpg", pil_kwargs={"quality": 88})


if __name__ == "__main__":
    main()
