"""Times of the renderer on one core, as JSON: medians in ms.

Protocol: torch on one thread, CPU. Mesh: models/body/smplx_open.npz in its T-pose (27,420 faces) or, before that
is built, an icosphere of 20,480 faces; the camera fits its height into the image. Each call is made 5 times unmeasured
(Warp's compilation and the mesh's edges fall there), then ``--repeats`` times; wall and processor time of each call are
taken, their medians printed. On a busy machine read the processor times.

    python bench/bench_render.py [--repeats 50]
"""

import argparse
import json
import platform
import time
from statistics import median

import torch

from avatarlab import ROOT
from avatarlab.core.files import read_npz
from avatarlab.render import Camera, rasterize, shade, silhouette
from avatarlab.render.raster import visible_faces
from avatarlab.render.screen import to_screen

BODY = ROOT / "models" / "body" / "smplx_open.npz"


def mesh() -> tuple[str, torch.Tensor, torch.Tensor]:
    """Name, vertices (V, 3) m, faces (F, 3) of what is drawn."""
    if BODY.exists():
        arrays, _ = read_npz(BODY)
        return BODY.name, torch.tensor(arrays["v_template"]).float(), torch.tensor(arrays["f"].astype("int64"))
    import trimesh

    made = trimesh.creation.icosphere(5)
    return "icosphere", torch.tensor(made.vertices).float(), torch.tensor(made.faces)


def framed(vertices: torch.Tensor, faces: torch.Tensor, size: int) -> Camera:
    """A camera 3.5 m in front that fits the mesh's larger side into 90 % of ``size`` px."""
    drawn = vertices[faces.unique()]
    low, high = drawn.amin(0), drawn.amax(0)
    middle = (low + high) / 2
    extent = float((high - low)[:2].max())
    eye = middle + torch.tensor([0.0, 0.0, 3.5])
    return Camera.look_at(eye, middle, focal_px=0.9 * size * 3.5 / extent, width=size, height=size)


def times(call, repeats: int) -> dict[str, float]:
    """Medians of wall and processor time of ``call()``, ms."""
    for _ in range(5):
        call()
    taken = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - wall, time.process_time() - processor))
    return {
        key: round(1e3 * median(column), 2)
        for key, column in zip(("wall", "cpu"), zip(*taken, strict=True), strict=True)
    }


def cases(vertices: torch.Tensor, faces: torch.Tensor, size: int) -> dict:
    """Name -> a call to be timed, at ``size`` x ``size`` px."""
    camera = framed(vertices, faces, size)
    free = vertices.clone().requires_grad_()

    def forward_and_backward():
        free.grad = None
        silhouette(free, faces, camera).sum().backward()

    return {
        "face_id_warp": lambda: visible_faces(to_screen(vertices, faces, camera), faces, "warp"),
        "face_id_torch": lambda: visible_faces(to_screen(vertices, faces, camera), faces, "torch"),
        "rasterize_warp": lambda: rasterize(vertices, faces, camera),
        "silhouette_forward": lambda: silhouette(vertices, faces, camera),
        "silhouette_forward_backward": forward_and_backward,
        "shade_supersample_2": lambda: shade(vertices, faces, camera),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    name, vertices, faces = mesh()
    found = {
        f"{case}_{size}_ms": times(call, repeats)
        for size in (256, 512)
        for case, call in cases(vertices, faces, size).items()
    }
    about = {"mesh": name, "faces": len(faces), "torch": torch.__version__, "machine": platform.machine()}
    print(json.dumps(about | found, indent=2))


if __name__ == "__main__":
    main()
