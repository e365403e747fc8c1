"""Facts of the SMPL-X layout: joints, parents, vertex numbers with a name, expression names, body parts.

Numbers are what other programs hard-code; a body file may carry its own in the header, and then those hold.
"""

import numpy as np

LEFT, RIGHT = "left", "right"
FINGERS = ("index", "middle", "pinky", "ring", "thumb")

JOINT_NAMES = (
    "pelvis",
    *("left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle"),
    *("spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("jaw", "left_eye_smplhf", "right_eye_smplhf"),
    *(f"{side}_{finger}{k}" for side in (LEFT, RIGHT) for finger in FINGERS for k in (1, 2, 3)),
)
"""The 55 joints in file order. Source: the smplx package's joint names, first 55."""

PARENTS = (
    *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15),
    *(20, 25, 26, 20, 28, 29, 20, 31, 32, 20, 34, 35, 20, 37, 38),
    *(21, 40, 41, 21, 43, 44, 21, 46, 47, 21, 49, 50, 21, 52, 53),
)
"""Parent of each joint, -1 for the root. Source: kintree_table of SMPL-X."""

JOINT = {name: k for k, name in enumerate(JOINT_NAMES)}

KEYPOINTS = {
    **{"nose": 9120, "reye": 9929, "leye": 9448, "rear": 616, "lear": 6},
    **{"rthumb": 8079, "rindex": 7669, "rmiddle": 7794, "rring": 7905, "rpinky": 8022},
    **{"lthumb": 5361, "lindex": 4933, "lmiddle": 5058, "lring": 5169, "lpinky": 5286},
    **{"LBigToe": 5770, "LSmallToe": 5780, "LHeel": 8846, "RBigToe": 8463, "RSmallToe": 8474, "RHeel": 8635},
}
"""Vertex numbers that the smplx package appends as joints, under its names."""

TAPE_POINTS = {
    **{"HEAD_TOP": 8976, "HEAD_LEFT_TEMPLE": 1980, "NECK_ADAM_APPLE": 8940, "LEFT_HEEL": 8847, "RIGHT_HEEL": 8635},
    **{"LEFT_NIPPLE": 3572, "RIGHT_NIPPLE": 8340, "SHOULDER_TOP": 5616, "INSEAM_POINT": 5601, "CROTCH": 3797},
    **{"BELLY_BUTTON": 5939, "BACK_BELLY_BUTTON": 5941, "PUBIC_BONE": 5949, "RIGHT_WRIST": 7449},
    **{"LEFT_WRIST": 4823, "RIGHT_BICEP": 6788, "RIGHT_FOREARM": 7266, "LEFT_SHOULDER": 4442},
    **{"RIGHT_SHOULDER": 7218, "LOW_LEFT_HIP": 4112, "LEFT_THIGH": 3577, "LEFT_CALF": 3732, "LEFT_ANKLE": 5880},
}
"""Vertex numbers of measuring landmarks. Source: SMPL-Anthropometry (MIT), its SMPL-X table and names."""

LANDMARKS = {**KEYPOINTS, **TAPE_POINTS}

BETA_SLOTS, EXPRESSION_SLOTS, POSE_FEATURES = 300, 100, 54 * 9

BLOCK_SLOTS = {"body": (0, 48), "face": (48, 112), "head": (112, 136), "asymmetry": (136, 144)}
"""Which of the 300 shape slots each identity block of a Person fills: name -> [start, stop)."""


def _sided(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{side}" for name in names for side in ("Left", "Right"))


ARKIT_NAMES = tuple(
    sorted(
        (
            *_sided(
                "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut"
            ),
            *_sided("eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown"),
            *_sided("mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer", "jaw", "mouth"),
            *("browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"),
            *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "tongueOut"),
        )
    )
)
"""The 52 facial actions of ARKit, alphabetical (the order of Anny and of MediaPipe without its neutral)."""

_LIMB_PARTS = {
    **{"shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand"},
    **{"hip": "thigh", "knee": "calf", "ankle": "foot", "foot": "foot", "eye_smplhf": "eye"},
    **{f"{finger}{k}": "hand" for finger in FINGERS for k in (1, 2, 3)},
}

PARTS = (
    *("head", "jaw", "neck", "trunk"),
    *(f"{s}_{name}" for name in ("upper_arm", "forearm", "hand", "thigh", "calf", "foot", "eye") for s in "lr"),
)
"""Body parts in label order: ``part`` holds indices into this tuple."""


def part_of_joint(joint: str) -> str:
    """Return the part that the skin of a joint belongs to; collars, pelvis and spine are trunk."""
    side, _, limb = joint.partition("_")
    if limb in _LIMB_PARTS:
        return f"{side[0]}_{_LIMB_PARTS[limb]}"
    return joint if joint in PARTS else "trunk"


def parts_from_weights(weights: np.ndarray) -> np.ndarray:
    """Skin weights (V, 55) -> part label (V,) uint8, that of each vertex's heaviest joint."""
    labels = np.array([PARTS.index(part_of_joint(name)) for name in JOINT_NAMES], dtype=np.uint8)
    return labels[np.asarray(weights).argmax(axis=1)]
