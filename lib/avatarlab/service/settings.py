"""Settings of worker and API, read from the environment, then from ``.env`` in the working directory.

Names in use elsewhere for the same thing are accepted beside ours. docs/service.md has the table; ``python -m
avatarlab.service.settings`` prints it, and a test compares. Secrets are ``SecretStr``: they never print.
"""

import sys
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from avatarlab.core.errors import InputError
from avatarlab.core.subject import ON_FAILURE


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class ServiceSettings(BaseSettings):
    """Everything that worker, callbacks and API are told from outside; a wrong value is refused by name."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    def __init__(self, **given):
        """Settings by field name beat the environment (pydantic's populate_by_name would also read $QUEUE, $REPORT)."""
        fields = type(self).model_fields
        aliases = {name: fields[name].validation_alias.choices[0] for name in given if name in fields}
        super().__init__(**{aliases.get(name, name): value for name, value in given.items()})

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), validation_alias=_named("REDIS_URL"),
        description="Redis of the queues; rediss:// for TLS, user and password inside",
    )  # fmt: skip
    queue: str = Field(
        "avatar", pattern=r"^[A-Za-z0-9_-]{1,64}$", validation_alias=_named("AVATAR_QUEUE"),
        description="name of the job queue; callbacks use the same name with -callback",
    )  # fmt: skip

    s3_endpoint: str = Field(
        "http://127.0.0.1:9000", validation_alias=_named("S3_ENDPOINT", "MINIO_ENDPOINT"),
        description="S3-compatible storage: address, or host:port (then http)",
    )  # fmt: skip
    s3_public_endpoint: str = Field(
        "", validation_alias=_named("S3_PUBLIC_ENDPOINT"),
        description="the same storage as clients reach it, for presigned links; empty: as above",
    )  # fmt: skip
    s3_access_key: SecretStr = Field(
        SecretStr(""), validation_alias=_named("S3_ACCESS_KEY", "MINIO_ACCESS_KEY"), description="access key"
    )
    s3_secret_key: SecretStr = Field(
        SecretStr(""), validation_alias=_named("S3_SECRET_KEY", "MINIO_SECRET_KEY"), description="secret key"
    )
    s3_bucket: str = Field(
        "avatars",
        validation_alias=_named("S3_BUCKET", "MINIO_BUCKET"),
        description="bucket, made if it is not there",
    )
    s3_region: str = Field("us-east-1", validation_alias=_named("S3_REGION", "MINIO_REGION"), description="region")
    link_s: int = Field(
        3600,
        ge=1,
        le=604_800,
        validation_alias=_named("AVATAR_LINK_S"),
        description="life of a presigned link (s)",
    )

    api_base_url: str = Field(
        "http://127.0.0.1:8080", pattern=r"^https?://[^\s]+$", validation_alias=_named("API_BASE_URL"),
        description="where clients reach the API; named in callbacks",
    )  # fmt: skip
    api_tokens: SecretStr = Field(
        SecretStr(""), validation_alias=_named("API_TOKENS", "API_TOKEN"),
        description="bearer tokens, separated by commas, 16 characters or more each; the API does not start without",
    )  # fmt: skip
    upload_mb: int = Field(
        50, ge=1, le=1000, validation_alias=_named("AVATAR_UPLOAD_MB"), description="largest request (MB)"
    )
    max_waiting: int = Field(
        200, ge=1, validation_alias=_named("AVATAR_MAX_WAITING"),
        description="jobs in the queue above which new ones get 503 with Retry-After",
    )  # fmt: skip

    webhook_secret: SecretStr = Field(
        SecretStr(""), validation_alias=_named("WEBHOOK_SECRET"),
        description="whsec_ and base64 of 24 to 64 bytes; several, separated by spaces, while one is replaced",
    )  # fmt: skip
    callback_origins: str = Field(
        "", validation_alias=_named("CALLBACK_ORIGINS"),
        description="only these may be called (https://shop.example, http://10.0.0.5:3000), separated by commas; "
        "empty: any public https address",
    )  # fmt: skip

    callback_limit_s: float = Field(
        15, gt=0, le=30, validation_alias=_named("CALLBACK_LIMIT_S"), description="longest call, all in all (s)"
    )
    callback_delays_s: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400", pattern=r"^\d{1,6}(,\d{1,6}){0,19}$",
        validation_alias=_named("CALLBACK_DELAYS_S"),
        description="waits between tries of a callback (s); with these given up after 75.6 hours",
    )  # fmt: skip

    display_pose: Literal["apose", "tpose", "photo"] = Field(
        "apose", validation_alias=_named("AVATAR_DISPLAY_POSE"), description="where a job does not say"
    )
    arm_down_deg: float = Field(
        45.0, ge=0, le=90, validation_alias=_named("AVATAR_APOSE_ARM_DOWN_DEG"),
        description="arms below the horizontal in the A-pose (degrees), where a job does not say",
    )  # fmt: skip
    require_real: bool | None = Field(
        None, validation_alias=_named("REQUIRE_REAL_AVATAR"),
        description="true: never a placeholder, whatever a job asks; false: a placeholder where a job does not say; "
        "unset: fail where a job does not say",
    )  # fmt: skip
    gltfpack_path: str = Field(
        "", validation_alias=_named("GLTFPACK_PATH"),
        description="the program gltfpack; empty: as found on PATH, else no avatar.meshopt.glb",
    )  # fmt: skip
    report: bool = Field(True, validation_alias=_named("AVATAR_REPORT"), description="also make report.html")
    body_file: str = Field(
        "",
        validation_alias=_named("AVATAR_BODY_FILE"),
        description="body file; empty: a licensed one, else the open one",
    )
    regressor: Literal["none", "nlf", "pixie"] = Field(
        "none", validation_alias=_named("AVATAR_REGRESSOR"), description="outside first guess (docs/licensed.md)"
    )

    job_kinds: str = Field(
        "", validation_alias=_named("JOB_KINDS"),
        description="further kinds of job beside avatar: module:NAME of each, separated by commas",
    )  # fmt: skip
    children: int = Field(
        1,
        ge=1,
        le=64,
        validation_alias=_named("WORKER_CHILDREN"),
        description="fits at once in one worker, a process each",
    )
    job_limit_s: float = Field(
        120, gt=0, validation_alias=_named("WORKER_JOB_LIMIT_S"), description="longest fit (s)"
    )
    memory_limit_mb: int = Field(
        2500,
        ge=100,
        validation_alias=_named("WORKER_MEMORY_LIMIT_MB"),
        description="a child's resident memory (MB)",
    )
    photo_mb: int = Field(
        50, ge=1, le=100, validation_alias=_named("WORKER_PHOTO_MB"), description="largest photo fetched (MB)"
    )
    lock_s: int = Field(
        30,
        ge=1,
        validation_alias=_named("WORKER_LOCK_S"),
        description="a job is another's after so long without a sign (s)",
    )
    stalled_s: int = Field(
        5,
        ge=1,
        validation_alias=_named("WORKER_STALLED_S"),
        description="how often abandoned jobs are looked for (s)",
    )
    max_stalled: int = Field(
        2,
        ge=0,
        validation_alias=_named("WORKER_MAX_STALLED"),
        description="deaths of a worker over one job before it fails",
    )
    worker_metrics_port: int = Field(
        0, ge=0, le=65535, validation_alias=_named("WORKER_METRICS_PORT"),
        description="port of the worker's /metrics, /healthz and /readyz on WORKER_METRICS_HOST; 0: none",
    )  # fmt: skip
    worker_metrics_host: str = Field(
        "127.0.0.1", validation_alias=_named("WORKER_METRICS_HOST"), description="address to bind them to"
    )

    @property
    def callback_queue(self) -> str:
        """Name of the queue of callbacks."""
        return f"{self.queue}-callback"

    def failing(self, asked: str | None) -> str:
        """What happens where no body fits ("fail" or "placeholder"), given what the job asks (None: nothing)."""
        if self.require_real:
            return "fail"
        return asked or ON_FAILURE[self.require_real is False]


def read(**given) -> ServiceSettings:
    """The settings, or InputError in one sentence that names what is wrong; values are not repeated, they may be secret."""
    try:
        return ServiceSettings(**given)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise InputError("settings: " + "; ".join(faults) + ".") from None


def table() -> str:
    """All settings as a Markdown table: names, default, meaning."""
    rows = ["| name | default | meaning |", "|---|---|---|"]
    for field in ServiceSettings.model_fields.values():
        names = ", ".join(f"`{name}`" for name in field.validation_alias.choices)
        rows.append(f"| {names} | {_default(field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return (
        ""
        if value in ("", None, PydanticUndefined)
        else f"`{str(value).lower() if value in (True, False) else value}`"
    )


if __name__ == "__main__":
    sys.stdout.write(table())
