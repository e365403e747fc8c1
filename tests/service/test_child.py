"""The process that holds the models: what it survives, what ends it, and that it never outlives its parent."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import obedient
import pytest
from obedient import task as task_of
from patience import SLOWER

from avatarlab.core.errors import InputError
from avatarlab.service.child import WORDS, Child, Children
from avatarlab.service.messages import ChildDied, MemoryLimit, StartFailed, TimeLimit
from avatarlab.service.settings import ServiceSettings

WAIT_S = SLOWER * 10
PARENT = """
import asyncio, sys
from pathlib import Path
import obedient
from avatarlab.service.child import Child
from avatarlab.service.settings import ServiceSettings

async def main():
    child = Child(obedient.load, ServiceSettings(_env_file=None))
    await child.start()
    tell = lambda _: print(child.pid, flush=True)
    if sys.argv[1] == "busy":
        await child.make(obedient.task(Path(sys.argv[2]), "seconds=30"), tell)
    tell(None)

if __name__ == "__main__":
    asyncio.run(main())
"""


def in_loop(test):
    """Run an async test in a loop of its own."""

    @functools.wraps(test)
    def run(*given, **named):
        asyncio.run(test(*given, **named))

    return run


@asynccontextmanager
async def living(kind=Child, **given):
    """A started child (or children) of these settings, ended afterwards."""
    one = kind(obedient.load, ServiceSettings(_env_file=None, **given))
    try:
        await one.start()
        yield one
    finally:
        await one.close()


def deaf(_):
    """Progress that nobody wants to hear."""


async def until(condition, what):
    """Poll up to WAIT_S for ``condition()``."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


async def begun(child, one, tell=deaf):
    """The task of an order that the process has begun."""
    far = asyncio.Event()
    task = asyncio.create_task(child.make(one, lambda p: (far.set(), tell(p))))
    await asyncio.wait_for(far.wait(), WAIT_S)
    return task


def lives(pid):
    """Whether a process runs (a zombie does not)."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@in_loop
async def test_orders_are_made_one_after_the_other_by_one_process(tmp_path):
    far = []
    async with living() as child:
        assert child.ready and lives(child.pid)
        first, second = [await child.make(task_of(tmp_path), far.append) for _ in range(2)]
    assert first.made_by["pid"] == second.made_by["pid"] and second.made_by["orders"] == "2"
    assert first.made_by["threads"] == "1" and first.files == {"avatar.glb": "model/gltf-binary"}
    assert [(one.stage, one.percent) for one in far] == [("fit", 25), ("export", 90)] * 2
    assert (tmp_path / "avatar.glb").read_bytes() == b"glTF" and not child.ready and child.pid is None


@pytest.mark.parametrize("word", ["flood", "flood=deep"])
@in_loop
async def test_a_child_that_talks_between_two_orders_is_ended_and_another_started(tmp_path, word):
    async with living() as child:
        await child.make(task_of(tmp_path, word), deaf)
        life = child._life
        await until(lambda: child.ready and child.pid != life.pid, "another child")
        assert not life.alive and life.said.qsize() <= WORDS + 1
        await child.make(task_of(tmp_path), deaf)


@in_loop
async def test_a_photo_that_cannot_be_used_costs_nobody_his_life(tmp_path):
    async with living() as child:
        pid = child.pid
        with pytest.raises(InputError, match=r"^front.jpg: no person was found\.$"):
            await child.make(task_of(tmp_path, "refuse"), deaf)
        assert (await child.make(task_of(tmp_path), deaf)).made_by["pid"] == str(pid)


@in_loop
async def test_what_nobody_foresaw_is_one_line_and_a_fresh_process(tmp_path):
    async with living() as child:
        pid = child.pid
        with pytest.raises(ChildDied) as caught:
            await child.make(task_of(tmp_path, "break"), deaf)
        assert str(caught.value).startswith("RuntimeError: something nobody foresaw (obedient.py:")
        again = await child.make(task_of(tmp_path), deaf)
    assert again.made_by["pid"] != str(pid) and again.made_by["orders"] == "1" and not lives(pid)


@in_loop
async def test_an_exit_is_a_death_that_the_next_order_does_not_notice(tmp_path):
    async with living() as child:
        with pytest.raises(ChildDied, match="exit code 3") as caught:
            await child.make(task_of(tmp_path, "die"), deaf)
        assert caught.value.why == "died"
        await child.make(task_of(tmp_path), deaf)


@in_loop
async def test_more_memory_than_any_fit_needs_is_refused_at_once(tmp_path):
    async with living(memory_limit_mb=300) as child:
        with pytest.raises(MemoryLimit, match="ran out"):
            await child.make(task_of(tmp_path, "grab=9000"), deaf)
        await child.make(task_of(tmp_path), deaf)


@in_loop
async def test_models_that_cannot_be_loaded_say_the_remedy_and_are_no_jobs_fault(tmp_path):
    for body_file, why in (("missing", "leave AVATAR_BODY_FILE out"), ("dead", "exit code 7")):
        child = Child(obedient.load, ServiceSettings(_env_file=None, body_file=body_file))
        with pytest.raises(StartFailed, match=why):
            await child.start()
        with pytest.raises(StartFailed, match=why):
            await child.make(task_of(tmp_path), deaf)
        assert not child.ready and child.pid is None
        await child.close()


@in_loop
async def test_secrets_stay_with_the_parent(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIO_SECRET_KEY", "hush-hush")
    monkeypatch.setenv("NOT_A_SECRET", "loud")
    async with living(s3_secret_key="hush-hush") as child:
        made = await child.make(task_of(tmp_path), deaf)
        start = Path(f"/proc/{child.pid}/environ").read_text()
    assert "hush-hush" not in start + repr(made) and "loud" in start
    assert "hush" not in made.made_by["settings"] and made.made_by["settings"].count("''") >= 4


@in_loop
async def test_what_another_process_cannot_import_is_refused():
    with pytest.raises(InputError, match="put it in a module"):
        Child(lambda settings: None, ServiceSettings(_env_file=None))


def test_the_parent_imports_no_model():
    words = (
        "import sys, avatarlab.service.child, avatarlab.service.kinds; print({'torch', 'cv2'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=SLOWER * 60
    )
    assert done.stdout == "set()\n"


@in_loop
async def test_children_share_the_orders(tmp_path):
    async with living(Children, children=2) as children:
        assert children.ready and len({*children.pids}) == 2
        heard = []
        subjects = ("seconds=1", "refuse", "seconds=1")
        made = await asyncio.gather(
            *(
                children.make(task_of(tmp_path, subject), lambda far: heard.append(far.stage))
                for subject in subjects
            ),
            return_exceptions=True,
        )
        assert heard == ["fit"] * 3 + ["export"] * 2, "two orders of 1 s were made one after the other"
    assert isinstance(made[1], InputError) and made[0].made_by["pid"] != made[2].made_by["pid"]
    assert not children.ready and children.pids == []


@in_loop
async def test_an_order_given_up_does_not_answer_the_next(tmp_path):
    async with living() as child:
        pid, task = child.pid, await begun(child, task_of(tmp_path, "seconds=9"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await child.make(task_of(tmp_path), deaf)).made_by["orders"] == "1" and not lives(pid)


@in_loop
async def test_closing_ends_an_order_in_hand(tmp_path):
    async with living() as child:
        pid, task = child.pid, await begun(child, task_of(tmp_path, "seconds=9"))
        await child.close()
        with pytest.raises(ChildDied):
            await task
        assert not lives(pid)
        with pytest.raises(StartFailed):
            await child.make(task_of(tmp_path), deaf)


@pytest.mark.faults
@in_loop
async def test_killed_mid_order_is_told_within_a_second_and_the_next_order_works(tmp_path):
    async with living() as child:
        task = await begun(child, task_of(tmp_path, "seconds=9"))
        begin = time.monotonic()
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildDied, match="exit code -9"):
            await task
        assert time.monotonic() - begin < SLOWER * 1
        await child.make(task_of(tmp_path), deaf)


@pytest.mark.faults
@in_loop
async def test_killed_between_orders_it_is_started_again_by_itself():
    async with living() as child:
        pid = child.pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: child.ready and child.pid != pid, "no new process")


@pytest.mark.faults
@in_loop
async def test_over_time_it_is_killed_with_all_it_started(tmp_path):
    async with living(job_limit_s=0.5) as child:
        pid, begin = child.pid, time.monotonic()
        with pytest.raises(TimeLimit, match=r"longer than 0.5 s") as caught:
            await child.make(task_of(tmp_path, "spawn seconds=20"), deaf)
        assert caught.value.why == "time" and time.monotonic() - begin < SLOWER * 1.5
        await until(lambda: not group(pid), "what it started lives on")
        await child.make(task_of(tmp_path), deaf)


def group(number):
    """The living processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, owner = path.read_text().rpartition(")")[2].split()[:3]
            found += [path.parent.name] if owner == str(number) and state not in "ZX" else []
    return found


@pytest.mark.faults
@in_loop
async def test_over_memory_it_is_killed(tmp_path):
    async with living(memory_limit_mb=300) as child:
        with pytest.raises(MemoryLimit, match="300 are allowed") as caught:
            await child.make(task_of(tmp_path, "hold=500"), deaf)
        assert caught.value.why == "memory"
        await child.make(task_of(tmp_path), deaf)


@pytest.mark.faults
@in_loop
async def test_a_stop_meant_for_the_worker_lets_the_order_end(tmp_path):
    async with living() as child:
        pid, task = child.pid, await begun(child, task_of(tmp_path, "seconds=0.5"))
        for number in (signal.SIGTERM, signal.SIGINT):
            os.killpg(pid, number)
            os.kill(pid, number)
        assert (await task).made_by["pid"] == str(pid)


@pytest.mark.faults
@pytest.mark.parametrize(("state", "how"), [("idle", "killed"), ("busy", "killed"), ("idle", "ended")])
def test_it_dies_with_its_parent(tmp_path, state, how):
    (tmp_path / "parent.py").write_text(PARENT)
    place = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    words = [sys.executable, str(tmp_path / "parent.py"), state, str(tmp_path)]
    parent = subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": place}, start_new_session=True
    )
    try:
        pid = int(parent.stdout.readline())
        if how == "killed":
            assert lives(pid)
            os.kill(parent.pid, signal.SIGKILL)
        parent.wait(WAIT_S)
        asyncio.run(until(lambda: not lives(pid), f"process {pid} outlived its parent"))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.stdout.close()
        parent.wait()
