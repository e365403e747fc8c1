"""Tests of the settings: names of both kinds, the file .env, secrets that never print, the published table."""

import logging
import os
import subprocess
import sys

import pytest
from patience import SLOWER

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.service.settings import ServiceSettings, read, table

SECRET = "s3cr3t-of-the-test"
SEED = {
    "REDIS_URL": ("redis_url", f"redis://:{SECRET}@redis:6379/1"),
    "MINIO_ENDPOINT": ("s3_endpoint", "minio:9000"),
    "MINIO_ACCESS_KEY": ("s3_access_key", SECRET),
    "MINIO_SECRET_KEY": ("s3_secret_key", SECRET),
    "MINIO_BUCKET": ("s3_bucket", "people"),
    "API_BASE_URL": ("api_base_url", "https://avatars.example"),
    "AVATAR_DISPLAY_POSE": ("display_pose", "tpose"),
    "AVATAR_APOSE_ARM_DOWN_DEG": ("arm_down_deg", "30"),
    "REQUIRE_REAL_AVATAR": ("require_real", "true"),
    "GLTFPACK_PATH": ("gltfpack_path", "/opt/gltfpack"),
}
"""The seed's name -> our field and a value."""
SECRETS = ("REDIS_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "API_TOKENS", "WEBHOOK_SECRET")


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """An environment without any of our names, in an empty folder."""
    for field in ServiceSettings.model_fields.values():
        for name in field.validation_alias.choices:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def plain(value):
    value = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value


@pytest.mark.parametrize("name", SEED)
def test_the_seeds_names_are_accepted(bare, name):
    field, value = SEED[name]
    bare.setenv(name, value)
    assert plain(getattr(ServiceSettings(), field)) == value


def test_our_name_beats_the_seeds(bare):
    bare.setenv("MINIO_BUCKET", "theirs")
    bare.setenv("S3_BUCKET", "ours")
    assert ServiceSettings().s3_bucket == "ours"


def test_a_field_given_in_code_beats_the_environment_under_any_name(bare):
    bare.setenv("MINIO_BUCKET", "theirs")
    bare.setenv("AVATAR_QUEUE", "theirs")
    assert (ServiceSettings(s3_bucket="ours").s3_bucket, ServiceSettings(queue="ours").queue) == ("ours", "ours")


@pytest.mark.parametrize("name", ["QUEUE", "REPORT", "CHILDREN", "LINK_S"])
def test_other_programs_variables_are_not_ours(bare, name):
    bare.setenv(name, "0")
    assert ServiceSettings() == ServiceSettings(_env_file=None)
    assert ServiceSettings().children == 1 and ServiceSettings().queue == "avatar" and ServiceSettings().report


def test_the_file_is_read_and_the_environment_beats_it(bare, tmp_path):
    (tmp_path / ".env").write_text("S3_BUCKET=of-the-file\nAVATAR_QUEUE=q\nSOMEBODY_ELSES=1\nWEBHOOK_SECRET=\n")
    bare.setenv("AVATAR_QUEUE", "of-the-environment")
    found = ServiceSettings()
    assert (found.s3_bucket, found.queue) == ("of-the-file", "of-the-environment")


def test_empty_variables_count_as_not_set(bare):
    bare.setenv("AVATAR_UPLOAD_MB", "")
    bare.setenv("REQUIRE_REAL_AVATAR", "")
    assert ServiceSettings().upload_mb == 50 and ServiceSettings().require_real is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("AVATAR_UPLOAD_MB", "many"), ("AVATAR_UPLOAD_MB", "0"), ("AVATAR_QUEUE", "a:b"), ("WORKER_JOB_LIMIT_S", "-1"),
     ("AVATAR_DISPLAY_POSE", "dance"), ("API_BASE_URL", "avatars.example"), ("AVATAR_LINK_S", "700000"),
     ("AVATAR_APOSE_ARM_DOWN_DEG", "100"), ("WORKER_METRICS_PORT", "70000"), ("CALLBACK_DELAYS_S", "1;2")],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name_in_one_line(bare, name, value):
    bare.setenv(name, value)
    with pytest.raises(InputError) as caught:
        read()
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_secrets_print_nowhere(bare, caplog):
    for name in SECRETS:
        bare.setenv(name, SECRET)
    found = read()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("any").warning("%s %r %s", found, found, found.model_dump_json())
    assert SECRET not in caplog.text
    assert all(SECRET in plain(value) for value in (found.redis_url, found.s3_secret_key, found.webhook_secret))


def test_a_refusal_repeats_no_value(bare):
    bare.setenv("AVATAR_QUEUE", f"{SECRET}:")
    with pytest.raises(InputError) as caught:
        read()
    assert SECRET not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("required", "asked", "result"),
    [(None, None, "fail"), (None, "placeholder", "placeholder"), (True, "placeholder", "fail"), (True, None, "fail"),
     (False, None, "placeholder"), (False, "fail", "fail")],
)  # fmt: skip
def test_who_decides_on_a_placeholder(required, asked, result):
    assert ServiceSettings(_env_file=None, require_real=required).failing(asked) == result


def test_the_table_names_every_setting_and_no_secret():
    for field in ServiceSettings.model_fields.values():
        assert field.description and all(f"`{name}`" in table() for name in field.validation_alias.choices)
    assert all(name in table() for name in SEED)
    assert all(line.count("|") == 4 for line in table().splitlines())


def test_the_published_table_is_the_settings():
    text = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    found = text.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert found == table(), "run: python -m avatarlab.service.settings, and put it between the markers"


def test_it_can_be_printed_without_anything_else():
    words = [sys.executable, "-m", "avatarlab.service.settings"]
    done = subprocess.run(
        words, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, timeout=SLOWER * 60
    )
    assert done.returncode == 0 and done.stdout == table()
