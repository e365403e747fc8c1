import json
import struct

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import cKDTree
from tube import RADIUS, Tube, elbow_bent, person

from avatarlab.body import poses
from avatarlab.body.layout import ARKIT_NAMES, JOINT_NAMES
from avatarlab.core.errors import InputError
from avatarlab.export import displayed_vertices, reduce_body, whole_body, write_glb
from avatarlab.export.glb_reader import Glb


@pytest.fixture(scope="module")
def avatar(open_body, open_lod, woman, tmp_path_factory):
    """The woman's GLB in A-pose: its reader and what write_glb said of it."""
    path = tmp_path_factory.mktemp("glb") / "avatar.glb"
    said = write_glb(path, open_body, woman, {"waist": {"value_cm": 81.2}}, lod=open_lod)
    return Glb(path), said, path


def test_file_is_two_chunks_of_the_stated_sizes(tube, tmp_path):
    said = write_glb(tmp_path / "a.glb", tube, person(), lod=whole_body(tube))
    data = (tmp_path / "a.glb").read_bytes()
    magic, version, size = struct.unpack("<4sII", data[:12])
    json_size, json_kind = struct.unpack("<I4s", data[12:20])
    bin_size, bin_kind = struct.unpack("<I4s", data[20 + json_size : 28 + json_size])
    assert (magic, version, size) == (b"glTF", 2, len(data)) and size == said["bytes"]
    assert (json_kind, bin_kind) == (b"JSON", b"BIN\0") and 28 + json_size + bin_size == size
    document = json.loads(data[20 : 20 + json_size])
    assert "extensionsUsed" not in document
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])


@pytest.mark.parametrize("pose", ["tpose", "apose", "photo"])
def test_viewer_shows_the_body_as_it_poses_itself(tube, tmp_path, pose):
    someone, lod = person(pose=elbow_bent(70)), whole_body(tube)
    write_glb(tmp_path / "a.glb", tube, someone, display_pose=pose, arm_down_deg=30, lod=lod)
    glb = Glb(tmp_path / "a.glb")
    truth = displayed_vertices(tube, someone, pose, 30)
    shown = glb.posed()
    nearest = np.linalg.norm(shown[:, None] - truth[None], axis=-1)
    assert nearest.min(axis=1).max() < 1e-5 and nearest.min(axis=0).max() < 1e-5


def test_elbow_turned_further_in_the_viewer_carries_the_forearm(tube, tmp_path):
    write_glb(tmp_path / "a.glb", tube, person(), display_pose="tpose", lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    before, after = glb.posed(), glb.posed(rotations={"left_elbow": np.array([0, 0, np.pi / 2])})
    end = before[:, 0] > 0.4
    x, y, z = (before[end] - [0.3, RADIUS, 0]).T
    expected = np.stack([0.3 - y, RADIUS + x, z], axis=1)
    assert after[end] == pytest.approx(expected, abs=1e-5)
    assert after[before[:, 0] < 0.2] == pytest.approx(before[before[:, 0] < 0.2], abs=1e-5)


def test_sparse_morphs_read_back_as_the_actions(tube, tmp_path):
    write_glb(tmp_path / "a.glb", tube, person(), display_pose="tpose", lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    moved = glb.attribute("POSITION")[:, 0] > 0.5
    assert glb.morph("jawOpen")[moved] == pytest.approx(np.tile([0, -0.01, 0], (moved.sum(), 1)), abs=1e-6)
    assert not glb.morph("jawOpen")[~moved].any()
    for number in {p.targets[0]["POSITION"] for p in glb.mesh.primitives}:
        assert glb.gltf.accessors[number].bufferView is None, "only changed vertices take bytes"


def test_weights_obey_the_format(tube, tmp_path):
    write_glb(tmp_path / "a.glb", tube, person(), lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    weights, joints = glb.attribute("WEIGHTS_0"), glb.attribute("JOINTS_0")
    assert np.abs(weights.sum(axis=1, dtype=np.float64) - 1).max() < 1e-6
    assert not joints[weights == 0].any(), "unused influences name joint 0"


def test_rest_joints_are_where_the_inverse_binds_say(tube, tmp_path):
    write_glb(tmp_path / "a.glb", tube, person(), display_pose="tpose", lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    world = glb.world({})
    for k, joint in enumerate(glb.gltf.skins[0].joints):
        assert world[joint] @ glb.inverse_binds[k] == pytest.approx(np.eye(4), abs=1e-5)


def test_same_person_same_bytes(tube, tmp_path):
    for name in "ab":
        write_glb(tmp_path / name, tube, person(), {"waist": 1.0}, lod=reduce_body(tube, 700))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_skin_colour_is_linear_light(tube, tmp_path):
    write_glb(tmp_path / "a.glb", tube, person(), lod=whole_body(tube), skin_srgb=(0.5, 0.04, 1))
    factor = Glb(tmp_path / "a.glb").gltf.materials[0].pbrMetallicRoughness.baseColorFactor
    assert factor == pytest.approx([0.2140, 0.04 / 12.92, 1, 1], abs=1e-4)


@pytest.mark.parametrize("tone", [(200, 150, 120), (0.5, 0.5), (0.5, float("nan"), 0.5)])
def test_impossible_skin_colour_is_refused_and_leaves_nothing(tube, tmp_path, tone):
    with pytest.raises(InputError, match="skin_srgb: got .*divide 8-bit values by 255"):
        write_glb(tmp_path / "a.glb", tube, person(), lod=whole_body(tube), skin_srgb=tone)
    assert not list(tmp_path.iterdir())


def test_nan_in_measurements_leaves_the_earlier_file(tube, tmp_path):
    path = tmp_path / "a.glb"
    write_glb(path, tube, person(), lod=whole_body(tube))
    earlier = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_glb(path, tube, person(), {"waist": float("nan")}, lod=whole_body(tube))
    assert path.read_bytes() == earlier and len(list(tmp_path.iterdir())) == 1


def test_extras_say_who_what_and_by_which_licence(tube, tmp_path):
    write_glb(tmp_path / "a.glb", tube, person(), {"waist": {"value_cm": 80.5}}, lod=whole_body(tube))
    asset = Glb(tmp_path / "a.glb").gltf.asset
    facts = asset.extras["avatarlab"]
    assert facts["measurements"] == {"waist": {"value_cm": 80.5}}
    assert facts["stature_m"] == 1.7 and facts["units"]["length"] == "m"
    assert facts["display_pose"] == {"name": "apose", "arm_down_deg": 45.0}
    assert facts["provenance"]["body_sha256"] == tube.sha256
    assert facts["provenance"]["person"] == {"schema": "avatarlab.person/2", "photo": "made"}
    assert "CC0" in asset.copyright and asset.generator.startswith("avatarlab ")


def test_placeholder_says_so(tube, tmp_path):
    write_glb(tmp_path / "a.glb", tube, person(placeholder=True), lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    assert glb.gltf.asset.extras["avatarlab"]["placeholder"] is True
    assert "placeholder" in glb.gltf.scenes[0].name


def test_body_without_texture_coordinates_has_no_attribute_for_them(tmp_path):
    bare = Tube(with_uv=False)
    write_glb(tmp_path / "a.glb", bare, person(), lod=whole_body(bare))
    glb = Glb(tmp_path / "a.glb")
    assert all(p.attributes.TEXCOORD_0 is None for p in glb.mesh.primitives)
    assert not glb.gltf.textures and not glb.gltf.images


def test_avatar_meets_its_budget(avatar):
    glb, said, path = avatar
    assert said["triangles"] == len(glb.faces) < 10_000
    assert said["bytes"] == path.stat().st_size < 2_000_000
    assert said["vertices"] == len(glb.attribute("POSITION"))
    assert tuple(glb.mesh.extras["targetNames"]) == ARKIT_NAMES
    assert tuple(glb.names[1:]) == JOINT_NAMES


def test_avatar_moves_like_the_body(avatar, open_body, open_lod, woman):
    """Beyond the display pose only four weights and missing correctives tell them apart: 2 mm on a raised arm."""
    glb, *_ = avatar
    lowered = poses.apose(45)
    raised = poses.apose(20)
    turns = {}
    for name in ("left_collar", "right_collar", "left_shoulder", "right_shoulder"):
        j = JOINT_NAMES.index(name)
        turns[name] = (raised[j] - lowered[j]).numpy()
    with torch.no_grad():
        truth = open_body(betas=woman.betas(), pose=raised).vertices[: open_body.skin_count].numpy()
    error = _distances(glb.posed(rotations=turns), truth[open_lod.keep] - [0, truth[:, 1].min(), 0])
    assert error.mean() < 0.5e-3


def test_trimesh_reads_the_bind_body_at_full_stature(avatar, woman):
    glb, said, path = avatar
    scene = trimesh.load(path, process=False)
    parts = list(scene.geometry.values())
    assert sum(len(p.vertices) for p in parts) == said["vertices"]
    assert sum(len(p.faces) for p in parts) == said["triangles"]
    low, high = scene.bounds
    assert high[1] - low[1] == pytest.approx(woman.stature_m, abs=2e-3)
    assert low[1] == pytest.approx(0, abs=2e-3)
    assert {p.visual.material.name for p in parts} == {"skin", "eyes_tongue"}


def _distances(points, others) -> np.ndarray:
    return cKDTree(others).query(points)[0]
