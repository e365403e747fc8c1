"""Tests of the service's words: each field's refusal, ids and keys, the published schema, the manifest's bytes."""

import json
from typing import get_args

import pytest
from pydantic import ValidationError

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.core.subject import CLOTHES, ON_FAILURE, SEXES, STATURE_CM, WEIGHT_KG
from avatarlab.export.rig import DISPLAY_POSES
from avatarlab.measure import DEFINITIONS
from avatarlab.service import avatar
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.jobs import Event, File, Manifest, job_id, object_key, read_job, schema

ID = "6f1c2b9e-3d47-4e5a-9c80-1b2d3f4a5c6d"
GOOD = {"subject": "anna", "front_key": "photos/anna/front.jpg", "stature_cm": 170}
FULL = GOOD | {
    "side_key": "photos/anna/side.jpg", "weight_kg": 61.5, "sex": "female", "clothes": "tight", "display_pose": "photo",
    "arm_down_deg": 30, "definitions": ["iso8559", "ansur"], "on_failure": "placeholder",
    "callback_url": "https://shop.example/avatars",
}  # fmt: skip
WRONG = [
    ("subject", ""), ("subject", "a" * 201), ("subject", "a\nb"), ("subject", 7), ("subject", None),
    ("front_key", ""), ("front_key", "../x"), ("front_key", "a//b"), ("front_key", "/etc/passwd"),
    ("front_key", "a/./b"), ("front_key", "a\\b"), ("front_key", "a\nb"), ("front_key", "a" * 513),
    ("front_key", "avatars/x/avatar.glb"), ("front_key", "avatars"), ("front_key", None),
    ("side_key", "a/../b"), ("side_key", ""), ("side_key", 3),
    ("stature_cm", 99.9), ("stature_cm", 250.1), ("stature_cm", 1.7), ("stature_cm", "170"), ("stature_cm", True),
    ("stature_cm", None), ("stature_cm", [170]),
    ("weight_kg", 19), ("weight_kg", 301), ("weight_kg", "61"), ("weight_kg", False),
    ("sex", "f"), ("clothes", "none"), ("display_pose", "dance"), ("arm_down_deg", -1), ("arm_down_deg", 91),
    ("arm_down_deg", "45"), ("definitions", []), ("definitions", ["ansur", "ansur"]), ("definitions", ["bmi"]),
    ("definitions", "ansur"), ("on_failure", "ignore"), ("callback_url", "ftp://shop.example"),
    ("callback_url", "https://"), ("callback_url", "https://a b"), ("callback_url", "https://x.example/" + "a" * 2000),
    ("hobby", "chess"),
]  # fmt: skip
BEYOND_SCHEMA = [("front_key", "a/\u200bb"), ("stature_cm", float("nan")), ("stature_cm", float("inf"))]
"""What JSON or a pattern of a schema cannot say, and the model refuses all the same."""


@pytest.mark.parametrize("data", [GOOD, FULL])
def test_a_right_job_is_read(data):
    job = read_job(data)
    assert job.input_keys["front"] == GOOD["front_key"] and set(job.input_keys) == {
        key.removesuffix("_key") for key in data if key.endswith("_key")
    }
    assert read_job(job.model_dump(mode="json")) == job


@pytest.mark.parametrize(("field", "value"), WRONG + BEYOND_SCHEMA)
def test_a_wrong_field_is_refused_by_name(field, value):
    with pytest.raises(InputError) as caught:
        read_job(FULL | {field: value})
    text = str(caught.value)
    assert text.startswith(f"job: {field}") and text.endswith((".", "?")) and len(text) < 500, text


@pytest.mark.parametrize("field", ["subject", "front_key", "stature_cm"])
def test_a_missing_field_is_named(field):
    with pytest.raises(InputError, match=f"^job: {field}: is missing"):
        read_job({name: value for name, value in FULL.items() if name != field})


def test_metres_are_suspected():
    with pytest.raises(InputError, match="Did you pass metres"):
        read_job(GOOD | {"stature_cm": 1.7})


def test_every_fault_is_told_at_once_and_long_ones_are_cut():
    with pytest.raises(InputError) as caught:
        read_job({"subject": "a" * 100_000, "sex": "x"})
    text = str(caught.value)
    assert all(f"{name}:" in text for name in ("subject", "sex", "front_key", "stature_cm")) and len(text) < 1000


@pytest.mark.parametrize("data", [None, [], "job", 3, b"{}"])
def test_a_job_is_an_object(data):
    with pytest.raises(InputError, match="^job: got .*, expected an object"):
        read_job(data)


@pytest.mark.parametrize("text", [ID, ID.upper()])
def test_an_id_has_one_form(text):
    assert job_id(text) == ID


@pytest.mark.parametrize(
    "text",
    ["", "1", "../etc", ID + "0", ID[:-1], ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f"{ID}\n", None, 7, b"x",
     ID.replace(ID[0], "g")],
)  # fmt: skip
def test_anything_but_a_uuid_is_no_id(text):
    with pytest.raises(InputError, match="^id: got"):
        job_id(text)


def test_keys_may_hold_other_scripts_but_no_more_bytes_than_s3_likes():
    assert object_key("Fotos/Jürgen Müller/vorne.jpg")
    with pytest.raises(ValueError, match="512"):
        object_key("ü" * 300)


def validator():
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    made = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def test_the_published_schema_is_the_models():
    published = (ROOT / "docs" / "avatar_job.schema.json").read_text(encoding="utf-8")
    assert published == schema(), "run: python -m avatarlab.service.jobs > docs/avatar_job.schema.json"


@pytest.mark.parametrize("data", [GOOD, FULL])
def test_the_schema_passes_right_jobs(data):
    assert [*validator().iter_errors(data)] == []


@pytest.mark.parametrize(("field", "value"), [one for one in WRONG if one != ("callback_url", "https://")])
def test_the_schema_refuses_what_the_model_refuses(field, value):
    assert [*validator().iter_errors(FULL | {field: value})], (field, value)


def test_the_schema_knows_the_ranges():
    properties = json.loads(schema())["properties"]
    number = {"type": "number", "minimum": STATURE_CM[0], "maximum": STATURE_CM[1]}
    assert number.items() <= properties["stature_cm"].items()
    assert properties["weight_kg"]["anyOf"][0] == dict(type="number", minimum=WEIGHT_KG[0], maximum=WEIGHT_KG[1])


def choices(name):
    found = get_args(AvatarJob.model_fields[name].annotation)
    return {choice for one in found if one is not type(None) for choice in (get_args(one) or (one,))}


def test_the_words_are_the_librarys():
    assert choices("display_pose") == {*DISPLAY_POSES}
    assert choices("clothes") == {*CLOTHES}
    assert choices("sex") == {*SEXES}
    assert choices("on_failure") == {*ON_FAILURE}
    assert {*get_args(avatar.Definition)} == {*DEFINITIONS}


def manifest(**changes):
    fields = dict(
        id=ID, job=AvatarJob(**GOOD), placeholder=False, reasons=[], warnings=[], made_by={"b": "2", "a": "1"}
    )
    files = {name: File(sha256="0" * 64, bytes=1, type="x") for name in changes.pop("names", ("b", "a"))}
    return Manifest(files=files, **fields | changes)


def test_equal_manifests_are_equal_bytes():
    assert manifest().data() == manifest(names=("a", "b")).data()
    assert Manifest.model_validate_json(manifest().data()) == manifest()
    assert manifest(placeholder=True).data() != manifest().data()


def test_an_events_key_is_of_job_and_kind():
    done, failed = (Event(type=t, id=ID, subject="a", url="u") for t in ("avatar.completed", "avatar.failed"))
    assert done.key == f"cb_{ID}_completed" and failed.key == f"cb_{ID}_failed" and ":" not in done.key


def test_a_job_does_not_change():
    with pytest.raises(ValidationError):
        AvatarJob(**GOOD).subject = "bert"
