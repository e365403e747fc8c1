"""What is in deploy/ holds together and fits the service: read as data, and where the programs are here, run by them."""

import configparser
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
import yaml

from avatarlab import ROOT
from avatarlab.service.settings import ServiceSettings

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("worker", "api")
UNITS = sorted(DEPLOY.glob("*.service"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
NAMES = {name for field in ServiceSettings.model_fields.values() for name in field.validation_alias.choices}
NOT_OURS = {
    *("REDIS_PASSWORD", "WORKERS", "HEALTH_URL"),  # of compose.yaml itself
    *("REDISCLI_AUTH", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),  # of Redis and SeaweedFS
    *("HOME", "PATH", "MPLCONFIGDIR", "WARP_CACHE_PATH", "OMP_NUM_THREADS"),
    *("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PIP_DISABLE_PIP_VERSION_CHECK"),
}
SECRET = {"REDIS_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY", "API_TOKENS", "WEBHOOK_SECRET", "REDIS_URL"}
JOB_LIMIT_S = ServiceSettings.model_fields["job_limit_s"].default


def example() -> dict[str, str]:
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def seconds(text: str) -> int:
    return int(re.fullmatch(r"(\d+)s?", str(text))[1])


def unit(path: Path) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=False)
    parsed.optionxform = str
    parsed.read(path)
    return parsed


def environment(path: Path) -> dict[str, str]:
    found = re.findall(r"^Environment=(.+)$", path.read_text(), re.M)
    return dict(pair.split("=", 1) for line in found for pair in line.split())


# --- names ---


def test_every_name_in_the_example_is_a_setting_and_no_secret_has_a_value():
    given = example()
    assert {*given} - {"REDIS_PASSWORD", "WORKERS"} <= NAMES
    assert {name: given[name] for name in SECRET} == dict.fromkeys(SECRET, "")


def test_the_example_filled_in_is_a_valid_setting(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    filled = {name: value or "token-of-an-example-0" for name, value in example().items()}
    filled |= {"REDIS_URL": "redis://:x@h:1/0", "S3_ENDPOINT": "http://h:1", "CALLBACK_ORIGINS": ""}
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in filled.items()))
    read = ServiceSettings(_env_file=tmp_path / ".env")
    assert read.s3_public_endpoint == "http://127.0.0.1:8333" and read.job_limit_s == JOB_LIMIT_S


def test_every_variable_of_compose_is_in_the_example():
    used = set(re.findall(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)", (DEPLOY / "compose.yaml").read_text()))
    assert used and used <= {*example()}


def test_every_environment_variable_that_is_set_is_read_by_somebody():
    named = {name for service in SERVICES.values() for name in service.get("environment", {})}
    named |= {name for path in UNITS for name in environment(path)}
    named |= set(re.findall(r"^(?:ENV| {4}) ?([A-Z_]+)=", DOCKERFILE, re.M))
    named.discard("S3_BUCKET")
    assert named <= NAMES | NOT_OURS


# --- the image ---


def test_the_image_takes_only_what_is_there_and_what_its_ignore_file_lets_in():
    taken = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    let_in = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split() if line[0] == "!"]
    for name in " ".join(taken).split():
        assert (ROOT / name).exists(), name
        assert any(f"{name}/".startswith(f"{one}/") or one.startswith(f"{name}/") for one in let_in), name
    assert (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()[1] == "*"
    assert not [name for name in let_in if ".env" in name or name.startswith("data")]


def test_the_image_runs_as_nobody_with_models_and_without_secrets():
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.M) and "STOPSIGNAL SIGTERM" in last and "HEALTHCHECK" in last
    assert "COPY models models" in last
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "!models/pretrained" in let_in
    assert not re.search(r"(?i)(password|secret|token|key)\s*=", DOCKERFILE)
    expected = re.search(r"WORKER_METRICS_PORT=(\d+)", last)[1]
    assert f"HEALTH_URL=http://127.0.0.1:{expected}/healthz" in last


def test_the_images_list_of_packages_is_that_of_the_service():
    """The line of Python in the Dockerfile, run."""
    script = re.search(r"python -c '(.+?)'", DOCKERFILE, re.S)[1].replace("\\\n", "\n")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(r"^torch>=", done.stdout, re.M) and re.search(r"^bullmq>=", done.stdout, re.M)
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), re.M)


def test_hadolint_has_nothing_to_say():
    if not (program := shutil.which("hadolint")):
        pytest.skip("hadolint is not installed")
    done = subprocess.run([program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# --- compose ---


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_shut_in(name):
    one = SERVICES[name]
    assert one["read_only"] and one["cap_drop"] == ["ALL"] and one["tmpfs"]
    assert one["security_opt"] == ["no-new-privileges:true"] and int(one["user"].split(":")[0]) > 0
    assert one["deploy"]["resources"]["limits"]["memory"] and one["restart"] == "unless-stopped"
    assert "privileged" not in one and ":latest" not in one["image"]
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))


@pytest.mark.parametrize("name", OURS)
def test_ours_wait_for_redis_and_storage_to_be_healthy(name):
    needed = SERVICES[name]["depends_on"]
    assert {part: how["condition"] for part, how in needed.items()} == {
        "redis": "service_healthy",
        "storage": "service_healthy",
    }
    assert all(SERVICES[part]["healthcheck"]["test"] for part in needed)
    environment = SERVICES[name]["environment"]
    assert "@redis:6379/" in environment["REDIS_URL"] and environment["S3_ENDPOINT"] == "http://storage:8333"


def test_stopping_waits_longer_than_a_job_may_take():
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > JOB_LIMIT_S + 10
    assert int(example()["WORKER_JOB_LIMIT_S"]) == JOB_LIMIT_S
    parsed = unit(DEPLOY / "avatar-worker@.service")
    assert seconds(parsed["Service"]["TimeoutStopSec"]) > JOB_LIMIT_S + 10


def test_redis_is_reached_from_inside_only_and_volumes_and_files_exist():
    assert SERVICES["redis"]["networks"] == ["back"] and COMPOSE["networks"]["back"]["internal"] is True
    assert "ports" not in SERVICES["redis"]
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
    build = SERVICES["worker"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


def test_the_api_is_started_by_a_name_that_exists():
    command = SERVICES["api"]["command"]
    assert command[:2] == ["uvicorn", "avatarlab.service.api:app"]
    assert "avatarlab.service.api:app" in unit(DEPLOY / "avatar-api.service")["Service"]["ExecStart"]
    for module in ("api", "worker"):
        assert (ROOT / "lib" / "avatarlab" / "service" / f"{module}.py").is_file()
    assert 'CMD ["python", "-m", "avatarlab.service.worker"]' in DOCKERFILE


def test_redis_of_compose_starts_keeps_and_asks_for_its_password(tmp_path):
    """The command of compose.yaml, run by the Redis here."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shell, option, script = SERVICES["redis"]["command"]
    script = script.replace("$$", "$").replace("/etc/avatarlab/redis.conf", str(DEPLOY / "redis.conf"))
    script = script.replace("dir /data", f'dir "{tmp_path}"\nport {port}').replace("bind * -::*", "bind 127.0.0.1")
    words = {"PATH": "/usr/bin:/bin", "REDISCLI_AUTH": "a-password-of-a-test"}
    process = subprocess.Popen([shell, option, script], env=words, stdout=subprocess.DEVNULL)
    try:
        one = redis.Redis(port=port, password="a-password-of-a-test", socket_timeout=25)
        _answers(one)
        found = one.config_get("append*") | one.config_get("maxmemory*") | one.config_get("save")
        expected = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}
        assert {name: found[name] for name in expected} == expected and int(found["maxmemory"]) > 10**8
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=port, socket_timeout=25).ping()
        process.send_signal(signal.SIGTERM)  # to the shell's process, which has become Redis
        assert process.wait(50) == 0
    finally:
        process.kill()
        process.wait()


def _answers(one: redis.Redis) -> None:
    end = time.monotonic() + 50
    while True:
        try:
            one.ping()
            return
        except redis.exceptions.ConnectionError:
            assert time.monotonic() < end, "Redis did not start"
            time.sleep(0.05)


# --- systemd ---


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_restart_stop_kindly_and_are_shut_in(path):
    service = unit(path)["Service"]
    assert service["Restart"] == "always" and service["KillSignal"] == "SIGTERM"
    assert service["ProtectSystem"] == "strict" and service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == "" and service["EnvironmentFile"] == "/etc/avatarlab/avatar.env"
    assert unit(path)["Install"]["WantedBy"] == "multi-user.target"


def test_the_workers_children_are_left_to_it_and_may_compile():
    service = unit(DEPLOY / "avatar-worker@.service")["Service"]
    assert service["KillMode"] == "mixed", "SIGTERM to all would be sent to the child too"
    assert "MemoryDenyWriteExecute" not in service, "Warp and torch compile as they run"
    ports = environment(DEPLOY / "avatar-worker@.service")["WORKER_METRICS_PORT"]
    assert ports == "910%i"


def test_systemd_understands_the_units(tmp_path):
    if not (program := shutil.which("systemd-analyze")):
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS:
        text = path.read_text().replace("/opt/avatarlab/.venv/bin/python", sys.executable)
        text = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text)
        (tmp_path / path.name.replace("@", "@1")).write_text(re.sub(r"(?m)^(User|Group)=.*$", r"\1=root", text))
    words = [program, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "avatar-" in line]
    assert (done.returncode, said) == (0, [])
