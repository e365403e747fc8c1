"""A small made-up body in the exact layout of a licensed SMPL-X file: right keys, shapes and types, no real data."""

import numpy as np

from avatarlab.body.layout import JOINT_NAMES, PARENTS

V, F, T = 10475, 20908, 11313
ARMS, LEGS = 0.75, 0.9


def joints() -> np.ndarray:
    """T-pose joints (55, 3) in metres, placed by a rule: a chain of 8 cm steps, arms sideways, legs down."""
    positions = np.zeros((55, 3))
    for j, (name, parent) in enumerate(zip(JOINT_NAMES[1:], PARENTS[1:], strict=True), start=1):
        side = {"left": 1.0, "right": -1.0}.get(name.split("_")[0], 0.0)
        leg = any(word in name for word in ("hip", "knee", "ankle", "foot"))
        step = (
            (0.08 * side, -0.25, 0.02)
            if leg
            else (0.1 * side, 0.0 if side else 0.1, 0.03 if "eye" in name else 0.0)
        )
        positions[j] = positions[parent] + step
    return positions


def arrays(seed: int = 7, count: int = V) -> dict[str, np.ndarray]:
    """The keys of a licensed SMPLX_NEUTRAL.npz with smooth random contents, float64 as there."""
    rng = np.random.default_rng(seed)
    positions = joints()
    owner = np.arange(count) % 55
    second = np.where(owner > 0, np.array(PARENTS)[owner], 1)
    template = positions[owner] + rng.normal(0, 0.03, (count, 3))
    share = rng.uniform(0.5, 1.0, count)
    weights = np.zeros((count, 55))
    weights[np.arange(count), owner] = share
    weights[np.arange(count), second] += 1 - share
    regressor = np.zeros((55, count))
    for j in range(55):
        near = rng.choice(np.flatnonzero(owner == j), 8, replace=False)
        regressor[j, near] = rng.dirichlet(np.ones(8))
    kintree = np.array([PARENTS, range(55)], dtype=np.int64)
    kintree[0, 0] = 2**32 - 1
    return {
        "v_template": template,
        "f": rng.integers(0, count, (F, 3)).astype(np.uint32),
        "shapedirs": rng.standard_normal((count, 3, 400), dtype=np.float32).astype(np.float64) * 0.003,
        "posedirs": rng.standard_normal((count, 3, 486), dtype=np.float32).astype(np.float64) * 0.002,
        "J_regressor": regressor,
        "kintree_table": kintree.astype(np.uint32),
        "weights": weights,
        "vt": rng.random((T, 2)),
        "ft": rng.integers(0, T, (F, 3)).astype(np.uint32),
        **{f"hands_mean{s}": rng.normal(0, 0.1, 45) for s in "lr"},
        **{f"hands_components{s}": np.linalg.qr(rng.normal(size=(45, 45)))[0] for s in "lr"},
        "lmk_faces_idx": rng.integers(0, F, 51),
        "lmk_bary_coords": rng.dirichlet(np.ones(3), 51),
        "dynamic_lmk_faces_idx": rng.integers(0, F, (79, 17)),
        "dynamic_lmk_bary_coords": rng.dirichlet(np.ones(3), (79, 17)),
    }
