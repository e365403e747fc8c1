"""The 16 measures under three named definitions, as data.

`smpl-anthropometry`: DavidBoja/SMPL-Anthropometry (MIT), SMPL-X table: fixed vertices, planes along the joints
it names, straight 3D lengths. Reproduced with its known flaws: fixed vertices do not follow a maximum or
minimum, leg girths are cut along the trunk, heights are 3D distances (true only upright). Its face segmentation
does not exist on other meshes: our part labels stand in, and hips include the upper thighs so that no loop is
left open. The neck is cut along spine2-head, as its SMPL table has it: along the SMPL-X table's spine1-spine3
the plane leaves the neck of this mesh.

`ansur`: ANSUR II, US Army 2012 (NATICK/TR-15/007, Measurer's Handbook TR-11/017), the column named in each
entry. Biceps and forearm are measured flexed there; the mesh is relaxed, `FLEXED_M` states the difference.

`iso8559`: ISO 8559-1:2017, the clause named in each entry (known from titles and paraphrase, not from the text).

Arms are the right, legs the left under `smpl-anthropometry`; `ansur` and `iso8559` take the right side.
"""

from dataclasses import dataclass, replace

MEASURES = (
    *("head", "neck", "chest", "waist", "hip", "wrist", "bicep", "forearm", "thigh", "calf", "ankle"),
    *("shoulder_to_crotch", "arm_length", "inside_leg", "shoulder_breadth", "stature"),
)
"""The 16 names: eleven girths, five lengths."""

UP = ("up",)
"""Plane normal: the vertical; the cut is horizontal."""


@dataclass(frozen=True)
class Girth:
    """A tape around ``parts`` in a plane with normal ``axis`` (UP or two point names, from and to).

    The plane goes through ``at`` (mean of named points), or through each of ``shares`` of the way on to ``to``; of
    several planes ``rule`` ('max' or 'min') takes one. ``side`` keeps one half of the parts ('l' or 'r').
    """

    parts: tuple[str, ...]
    at: tuple[str, ...]
    axis: tuple[str, ...]
    source: str
    to: tuple[str, ...] = ()
    shares: tuple[float, ...] = (0.0,)
    rule: str = "max"
    side: str = ""


@dataclass(frozen=True)
class Length:
    """A straight length along ``path`` (each stop the mean of named points); ``vertical`` takes the height
    only."""

    path: tuple[tuple[str, ...], ...]
    source: str
    vertical: bool = False


@dataclass(frozen=True)
class Arc:
    """A tape pulled taut from one of two named points to the other, behind ``parts``, level from front to back."""

    parts: tuple[str, ...]
    ends: tuple[str, str]
    source: str


def spread(low: float, high: float, count: int = 9) -> tuple[float, ...]:
    """Return ``count`` even shares from low to high."""
    return tuple(low + (high - low) * k / (count - 1) for k in range(count))


NIPPLES = ("LEFT_NIPPLE", "RIGHT_NIPPLE")
ACROMIA = ("LEFT_SHOULDER", "RIGHT_SHOULDER")
TRUNK_AXIS = ("joint:pelvis", "joint:spine3")
PELVIS_PARTS = ("trunk", "l_thigh", "r_thigh")

SMPL_ANTHROPOMETRY = {
    "head": Girth(("head",), ("HEAD_LEFT_TEMPLE",), TRUNK_AXIS, "A head circumference"),
    "neck": Girth(("neck", "head"), ("NECK_ADAM_APPLE",), ("joint:spine2", "joint:head"), "B neck circumference"),
    "chest": Girth(("trunk",), NIPPLES, TRUNK_AXIS, "D chest circumference"),
    "waist": Girth(("trunk",), ("BELLY_BUTTON", "BACK_BELLY_BUTTON"), TRUNK_AXIS, "E waist circumference"),
    "hip": Girth(PELVIS_PARTS, ("PUBIC_BONE",), TRUNK_AXIS, "F hip circumference"),
    "wrist": Girth(
        ("r_forearm", "r_hand"), ("RIGHT_WRIST",), ("joint:right_elbow", "joint:right_wrist"), "G wrist right"
    ),
    "bicep": Girth(
        ("r_upper_arm",), ("RIGHT_BICEP",), ("joint:right_shoulder", "joint:right_elbow"), "H bicep right"
    ),
    "forearm": Girth(
        ("r_forearm",), ("RIGHT_FOREARM",), ("joint:right_elbow", "joint:right_wrist"), "I forearm right"
    ),
    "thigh": Girth(("l_thigh", "trunk"), ("LEFT_THIGH",), TRUNK_AXIS, "L thigh left", side="l"),
    "calf": Girth(("l_calf",), ("LEFT_CALF",), TRUNK_AXIS, "M calf left"),
    "ankle": Girth(("l_calf", "l_foot"), ("LEFT_ANKLE",), TRUNK_AXIS, "N ankle left"),
    "shoulder_to_crotch": Length((("SHOULDER_TOP",), ("INSEAM_POINT",)), "C shoulder to crotch height"),
    "arm_length": Length((("RIGHT_SHOULDER",), ("RIGHT_WRIST",)), "J arm right length"),
    "inside_leg": Length((("LOW_LEFT_HIP",), ("LEFT_ANKLE",)), "K inside leg height: to the ankle"),
    "shoulder_breadth": Length((("LEFT_SHOULDER",), ("RIGHT_SHOULDER",)), "O shoulder breadth"),
    "stature": Length((("HEAD_TOP",), ("LEFT_HEEL", "RIGHT_HEEL")), "P height"),
}

ANSUR = {
    "head": Girth(
        ("head",),
        ("HEAD_LEFT_TEMPLE",),
        UP,
        "headcircumference: above brows and ears",
        to=("HEAD_TOP",),
        shares=spread(0, 0.4),
    ),
    "neck": Girth(
        ("neck", "trunk", "head"),
        ("NECK_ADAM_APPLE",),
        ("joint:neck", "joint:head"),
        "neckcircumference: infrathyroid, perpendicular to the neck",
    ),
    "chest": Girth(("trunk",), NIPPLES, UP, "chestcircumference: bustpoint level"),
    "waist": Girth(("trunk",), ("BELLY_BUTTON",), UP, "waistcircumference: omphalion"),
    "hip": Girth(PELVIS_PARTS, ("buttock",), UP, "buttockcircumference: maximum protrusion"),
    "wrist": Girth(
        ("r_forearm", "r_hand"), ("RIGHT_WRIST",), ("r_elbow", "r_wrist"), "wristcircumference: stylion"
    ),
    "bicep": Girth(
        ("r_upper_arm", "r_forearm"),
        ("r_elbow",),
        ("r_elbow", "r_shoulder"),
        "bicepscircumferenceflexed, here relaxed: maximum over the biceps",
        to=("r_shoulder",),
        shares=spread(0.2, 0.5),
    ),
    "forearm": Girth(
        ("r_forearm", "r_upper_arm"),
        ("r_elbow",),
        ("r_elbow", "r_wrist"),
        "forearmcircumferenceflexed, here relaxed: maximum below the elbow",
        to=("r_wrist",),
        shares=spread(0.1, 0.5),
    ),
    "thigh": Girth(
        ("r_thigh", "trunk"),
        ("CROTCH",),
        UP,
        "thighcircumference: gluteal furrow, 2 % of stature below the crotch",
        to=("r_knee",),
        shares=(0.1,),
        side="r",
    ),
    "calf": Girth(
        ("r_calf",),
        ("r_ankle",),
        UP,
        "calfcircumference: maximum",
        to=("r_knee",),
        shares=spread(0.45, 0.9),
    ),
    "ankle": Girth(
        ("r_calf", "r_foot"),
        ("r_ankle",),
        UP,
        "anklecircumference: minimum above the malleoli",
        to=("r_knee",),
        shares=spread(0, 0.3),
        rule="min",
    ),
    "shoulder_to_crotch": Length((ACROMIA, ("CROTCH",)), "acromialheight - crotchheight", vertical=True),
    "arm_length": Length(
        (("RIGHT_SHOULDER",), ("r_elbow",), ("RIGHT_WRIST",)), "acromionradialelength + radialestylionlength"
    ),
    "inside_leg": Length((("CROTCH",), ("sole",)), "crotchheight", vertical=True),
    "shoulder_breadth": Length((("LEFT_SHOULDER",), ("RIGHT_SHOULDER",)), "biacromialbreadth"),
    "stature": Length((("HEAD_TOP",), ("sole",)), "stature", vertical=True),
}

FLEXED_M = {"male": {"bicep": 0.025, "forearm": 0.010}, "female": {"bicep": 0.013, "forearm": 0.005}}
"""What ANSUR II's flexed girths exceed the relaxed mesh by, in metres, per sex: flexed = tape + this. To be
calibrated; the figures are those of relaxed and tensed arm girths in sports anthropometry, from memory."""

ANSUR_SECTIONS = {
    "chest": ("chestbreadth", "chestdepth"),
    "waist": ("waistbreadth", "waistdepth"),
    "hip": ("hipbreadth", "buttockdepth"),
    "head": ("headbreadth", "headlength"),
}
"""ANSUR columns for the breadth and the depth of a section. Chest breadth there is taken by caliper under the
arms and contradicts the chest tape on this mesh (open_body.md section 7): do not fit to it."""

ANSUR_HEIGHTS = {
    "acromialheight": ACROMIA,
    "chestheight": NIPPLES,
    "waistheightomphalion": ("BELLY_BUTTON",),
    "buttockheight": ("buttock",),
    "kneeheightmidpatella": ("r_knee",),
}
"""ANSUR columns that are the height of named points above the soles; crotch height is the tape ``inside_leg``."""

SHOULDER_GIRDLE = Girth(
    ("trunk", "l_upper_arm", "r_upper_arm"),
    ACROMIA,
    UP,
    "bideltoidbreadth",
    ("l_elbow", "r_elbow"),
    spread(0, 0.4),
)
"""Levels among which the widest is ANSUR's bideltoid breadth."""

ISO_8559 = {
    "head": replace(ANSUR["head"], source="no clause at hand: as ansur"),
    "neck": replace(ANSUR["neck"], source="5.3.2 neck girth"),
    "chest": Girth(
        ("trunk",),
        NIPPLES,
        UP,
        "5.3.4 bust girth: maximum about the bust points",
        to=("BELLY_BUTTON",),
        shares=spread(-0.13, 0.13),
    ),
    "waist": Girth(
        ("trunk",),
        ("BELLY_BUTTON",),
        UP,
        "5.3.10 waist girth: midway between lowest rib and iliac crest",
        to=NIPPLES,
        shares=(0.19,),
    ),
    "hip": Girth(
        PELVIS_PARTS,
        ("CROTCH",),
        UP,
        "5.3.13 hip girth: maximum",
        to=("BELLY_BUTTON",),
        shares=spread(0.2, 0.65),
    ),
    "wrist": replace(ANSUR["wrist"], source="5.3.19 wrist girth"),
    "bicep": Girth(
        ("r_upper_arm",),
        ("r_elbow",),
        ("r_elbow", "r_shoulder"),
        "5.3.16 upper arm girth: relaxed, midway",
        to=("RIGHT_SHOULDER",),
        shares=(0.5,),
    ),
    "forearm": replace(ANSUR["forearm"], source="no clause at hand: maximum, relaxed"),
    "thigh": replace(ANSUR["thigh"], shares=(0.04,), source="5.3.20 thigh girth: highest level of one leg"),
    "calf": replace(ANSUR["calf"], source="5.3.24 calf girth: maximum"),
    "ankle": replace(ANSUR["ankle"], source="no clause at hand: minimum"),
    "shoulder_to_crotch": replace(ANSUR["shoulder_to_crotch"], source="no clause at hand: as ansur"),
    "arm_length": replace(ANSUR["arm_length"], source="5.7.8 shoulder over elbow to wrist"),
    "inside_leg": replace(ANSUR["inside_leg"], source="5.1.15 inside leg height: crotch to floor"),
    "shoulder_breadth": Arc(
        ("trunk", "neck", "l_upper_arm", "r_upper_arm"), ACROMIA, "5.4.2 shoulder width: across the back"
    ),
    "stature": replace(ANSUR["stature"], source="5.1.1 stature"),
}

DEFINITIONS = {"smpl-anthropometry": SMPL_ANTHROPOMETRY, "ansur": ANSUR, "iso8559": ISO_8559}
"""definition -> measure -> Girth, Length or Arc."""
