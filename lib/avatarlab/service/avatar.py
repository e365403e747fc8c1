"""The kind ``avatar``: photos and facts of a person in; person, measurements, GLB and report out."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from avatarlab.core.subject import STATURE_CM, WEIGHT_KG, Subject
from avatarlab.service.jobs import CallbackURL, Key, Number, SubjectName, between
from avatarlab.service.kinds import Job, JobKind, Upload

Definition = Literal["ansur", "iso8559", "smpl-anthropometry"]


class AvatarJob(Job):
    """What a producer asks for: photos by key in the bucket, facts about the person, how the avatar shall be."""

    subject: SubjectName = Field(
        description="your own name for the person; shown, never interpreted",
        json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"},
    )
    front_key: Key = Field(description="key of the front photo: JPEG, PNG, WebP or HEIC, up to 40 megapixels")
    side_key: Key | None = Field(None, description="key of the side photo")
    stature_cm: Annotated[Number, between(*STATURE_CM)] = Field(description="stature without shoes (cm)")
    weight_kg: Annotated[Number, between(*WEIGHT_KG)] | None = Field(None, description="weight (kg), if known")
    sex: Literal["male", "female", "unknown"] = Field(
        "unknown", description="whose population's proportions to expect"
    )
    clothes: Literal["any", "tight", "minimal"] = Field("any", description="how near the outline is to the body")
    display_pose: Literal["apose", "tpose", "photo"] | None = Field(None, description="what a viewer shows first")
    arm_down_deg: Annotated[Number, Field(ge=0, le=90), between(0, 90)] | None = Field(
        None, description="arms below the horizontal in the A-pose (degrees)"
    )
    definitions: list[Definition] = Field(
        ["ansur"],
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="whose tapes; the first is measurements.json, others measurements_<name>.json",
    )
    on_failure: Literal["fail", "placeholder"] | None = Field(
        None, description="where no body fits: fail, or the population's average, marked as such"
    )
    callback_url: CallbackURL | None = Field(
        None, description="told by a signed POST when the avatar is ready or has failed"
    )

    @field_validator("stature_cm", "weight_kg")
    @classmethod
    def _possible(cls, value: float | None, info: ValidationInfo) -> float | None:
        """Of a person; the sentence names the unit that was meant instead."""
        if value is not None:
            Subject.of(**{"stature_cm": 170.0, info.field_name: value})
        return value

    @field_validator("definitions")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("each at most once")
        return names

    @property
    def facts(self) -> Subject:
        """What is told of the person."""
        return Subject.of(self.stature_cm, self.weight_kg, self.sex, self.clothes)


def sniff_photo(head: bytes) -> tuple[str, str] | None:
    """File ending and media type by the first bytes; None for what is none of the four formats. Not a decoder."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg", "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp", "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in (
        b"heic",
        b"heix",
        b"heim",
        b"heis",
        b"hevc",
        b"hevx",
        b"mif1",
        b"msf1",
    ):
        return "heic", "image/heic"
    return None


PHOTO = Upload(sniff_photo, "photo", "send a JPEG, PNG, WebP or HEIC photo")

AVATAR = JobKind(
    name="avatar",
    job=AvatarJob,
    load="avatarlab.service.pipeline:Pipeline.load",
    stages=("observe", "fit", "measure", "export"),
    artifacts=("measurements.json",),  # the GLB of a placeholder has another name
    uploads={"front": PHOTO, "side": PHOTO},
)
