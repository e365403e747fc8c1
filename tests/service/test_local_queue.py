"""Tests of the queue of one process: records that outlive it, tries, callbacks with retries, deleting, a full disk."""

import asyncio
import contextlib
import json
import time
import uuid

import light
import pytest
from patience import SLOWER
from pydantic import SecretStr
from receiver import SECRET, Receiver, Reply
from serving import PNG, kept, ran, settings_of

from avatarlab.service import local_queue
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.child import Children
from avatarlab.service.job_records import JobRecord
from avatarlab.service.jobs import Event, Unavailable
from avatarlab.service.local_queue import LocalQueue
from avatarlab.service.queues import FORGET_S
from avatarlab.service.storage import FolderStorage

DONE = ("completed", "failed")


def job(subject="anna", **fields) -> AvatarJob:
    return AvatarJob(subject=subject, front_key="mine/front.png", stature_cm=170, **fields)


class House:
    """A folder with storage and queue, opened and left as a process does; children only where there is work."""

    def __init__(self, folder, **fields):
        self.folder = folder
        self.settings = settings_of(1, webhook_secret=SecretStr(SECRET), **fields)
        self.storage = FolderStorage(folder, "http://127.0.0.1:1", "s" * 32)
        self.storage.write("mine/front.png", PNG, "image/png")

    def queue(self, children=None) -> LocalQueue:
        return LocalQueue(self.folder / "jobs", self.settings, self.storage, children)

    @contextlib.asynccontextmanager
    async def working(self, grace_s=5.0):
        children = Children(light.load, self.settings)
        await children.start()
        queue = self.queue(children)
        await queue.start()
        try:
            yield queue
        finally:
            await queue.close(grace_s)
            await children.close()

    def record(self, id) -> dict:
        return json.loads((self.folder / "jobs" / f"{id}.json").read_text())


async def until(queue, id, *states, seconds=20):
    end = time.monotonic() + SLOWER * seconds
    while (ticket := await queue.find(id)) is None or ticket.state not in states:
        assert time.monotonic() < end, ticket
        await asyncio.sleep(0.01)
    return ticket


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def new() -> str:
    return str(uuid.uuid4())


def test_what_was_added_is_there_after_a_restart(house):
    async def main():
        id, first = new(), house.queue()
        assert await first.add(id, job()) and not await first.add(id, job("other"))
        again = house.queue()
        assert (await again.find(id)).job == job() and (await again.find(id)).state == "waiting"
        assert await again.counts() == dict(waiting=1, active=0, delayed=0, completed=0, failed=0)
        assert not await again.add(id, job()) and await again.find(new()) is None
        await again.ready()

    ran(main())


def test_jobs_are_made_in_their_order_and_refusals_are_not_tried_again(house, monkeypatch):
    monkeypatch.setenv("LIGHT_LOG", str(house.folder / "log"))

    async def main():
        ids = [new() for _ in range(3)]
        async with house.working() as queue:
            for id, subject in zip(ids, ("first", "refuse", "last"), strict=True):
                await queue.add(id, job(subject))
            found = [await until(queue, id, *DONE) for id in ids]
        assert [one.state for one in found] == ["completed", "failed", "completed"]
        assert found[1].reason.startswith("front: no person") and found[1].tries == 1 and found[0].seconds > 0
        assert (house.folder / "log").read_text().split() == ["first", "refuse", "last"]
        assert (await house.queue().find(ids[1])).reason == found[1].reason

    ran(main())


def test_a_crash_is_tried_three_times(house, monkeypatch):
    monkeypatch.setattr(local_queue, "WAIT_S", 0.05)

    async def main():
        bad, good = new(), new()
        async with house.working() as queue:
            await queue.add(bad, job("die"))
            await queue.add(good, job("good"))
            failed = await until(queue, bad, "failed")
            assert failed.tries == 3 and "died" in failed.reason
            await until(queue, good, "completed")

    ran(main())


def test_a_storage_that_is_away_costs_no_try(house, monkeypatch):
    monkeypatch.setattr(local_queue, "WAIT_S", 0.02)
    calls, real = [], house.storage.fetch

    def fetch(*arguments):
        calls.append(1)
        if len(calls) < 6:
            raise Unavailable("away")
        return real(*arguments)

    async def main():
        id = new()
        with kept(house.storage, "fetch", fetch):
            async with house.working() as queue:
                await queue.add(id, job())
                delayed = await until(queue, id, "delayed")
                assert delayed.reason == "away"
                done = await until(queue, id, "completed")
        assert done.tries == 1 and done.reason is None

    ran(main())


def killed(house, id, tries, **fields):
    """The record of a job over which the process was killed."""
    house.folder.joinpath("jobs").mkdir(exist_ok=True)
    record = JobRecord(id=id, job=job(**fields), state="active", tries=tries, added=time.time())
    (house.folder / "jobs" / f"{id}.json").write_text(record.model_dump_json())


def test_an_unfinished_job_is_taken_up_again_but_not_for_ever(tmp_path):
    with Receiver() as receiver:
        house = House(tmp_path, callback_origins=receiver.origin)
        once, often = new(), new()
        killed(house, once, 1)
        killed(house, often, 3, callback_url=receiver.url)

        async def main():
            async with house.working() as queue:
                assert (await until(queue, once, "completed")).tries == 2
                assert "stopped 3 times" in (await until(queue, often, "failed")).reason
                await asyncio.to_thread(receiver.wait, 1)

        ran(main())
        assert receiver.effects[f"cb_{often}_failed"]["reason"].startswith("The service stopped 3 times")


def test_a_job_in_work_is_put_back_when_the_process_ends(house):
    async def main():
        id = new()
        async with house.working(grace_s=0.2) as queue:
            await queue.add(id, job("seconds=30"))
            await until(queue, id, "active")
            await asyncio.sleep(0.1)
            start = time.monotonic()
        assert time.monotonic() - start < SLOWER * 3
        assert house.record(id)["state"] == "waiting" and house.record(id)["tries"] == 0

    ran(main())


def test_a_job_that_ends_within_the_grace_is_done(house):
    async def main():
        id = new()
        async with house.working() as queue:
            await queue.add(id, job("seconds=0.3"))
            await until(queue, id, "active")
        assert house.record(id)["state"] == "completed"

    ran(main())


@pytest.mark.faults
def test_callbacks_are_retried_over_restarts_and_made_once(tmp_path):
    with Receiver() as receiver:
        house = House(tmp_path, callback_origins=receiver.origin, callback_delays_s="1,1,1")
        receiver.answer(500, Reply(429, {"Retry-After": "0"}))

        async def main():
            id = new()
            async with house.working() as queue:
                await queue.add(id, job(callback_url=receiver.url))
                await until(queue, id, "completed")
                await asyncio.to_thread(receiver.wait, 1)
                while house.record(id)["callbacks"][0]["tries"] != 1:
                    await asyncio.sleep(0.02)
            kept_callback = house.record(id)["callbacks"][0]
            assert kept_callback["over"] is None and kept_callback["due"] > time.time() - 60
            async with house.working() as queue:
                await asyncio.to_thread(receiver.wait, 3)
                await queue.announce(Event(type="avatar.completed", id=id, subject="", url=""), receiver.url)
                end = time.monotonic() + SLOWER * 5
                while house.record(id)["callbacks"][0]["over"] != "delivered":
                    assert time.monotonic() < end
                    await asyncio.sleep(0.02)
            return id

        id = ran(main())
        assert len(house.record(id)["callbacks"]) == 1 and house.record(id)["callbacks"][0]["tries"] == 3
        assert [call.verified for call in receiver.calls] == [True] * 3
        assert {call.id for call in receiver.calls} == {f"cb_{id}_completed"} == {*receiver.effects}


def test_a_receiver_that_never_answers_well_is_given_up(tmp_path):
    with Receiver() as receiver:
        receiver.default = Reply(500)
        house = House(tmp_path, callback_origins=receiver.origin, callback_delays_s="0")

        async def main():
            id = new()
            async with house.working() as queue:
                await queue.add(id, job(callback_url=receiver.url))
                end = time.monotonic() + SLOWER * 10
                while not (found := house.record(id)["callbacks"]) or not found[0]["over"]:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.02)
            assert found[0]["over"] == "given up" and found[0]["tries"] == 2

        ran(main())


def test_a_deleted_job_is_not_made_and_leaves_nothing_of_the_person(house):
    async def main():
        waiting, done = new(), new()
        async with house.working() as queue:
            await queue.add(done, job("done"))
            await until(queue, done, "completed")
            await queue.add(new(), job("seconds=0.3"))
            await queue.add(waiting, job("Anna Karenina"))
            assert (
                not await queue.forget(waiting) and not await queue.forget(done) and not await queue.forget(new())
            )
            assert await queue.forgotten(waiting) and await queue.find(waiting) is None
            assert not await queue.add(waiting, job()) and not await queue.forgotten(new())
            unknown = new()
            assert not await queue.forget(unknown) and await queue.forgotten(unknown)
            await asyncio.sleep(0.5)
        text = json.dumps(house.record(waiting))
        assert "Anna" not in text and "mine" not in text and house.record(waiting)["deleted"]
        assert await house.queue().forgotten(waiting) and (await house.queue().counts())["waiting"] == 0

    ran(main())


def test_a_job_deleted_in_work_leaves_nothing(house):
    async def main():
        id = new()
        async with house.working() as queue:
            await queue.add(id, job("seconds=0.4 Anna"))
            await until(queue, id, "active")
            assert await queue.forget(id)
            await queue.add(last := new(), job())
            await until(queue, last, "completed")
        assert "Anna" not in json.dumps(house.record(id)) and house.storage.keys(f"avatars/{id}/") == []

    ran(main())


@pytest.mark.parametrize("state", ["active", "waiting"])
def test_a_job_deleted_in_work_leaves_nothing_even_where_the_process_died_then(house, state):
    """Killed over it, or stopped before it was done; its callback is one that is not allowed any more."""
    id, now = new(), time.time()
    house.queue()
    record = JobRecord(
        id=id, job=job("Anna", callback_url="https://10.0.0.1/"), state=state, added=now, deleted=now
    )
    (house.folder / "jobs" / f"{id}.json").write_text(record.model_dump_json())
    for key in (f"avatars/{id}/avatar.glb", f"photos/{id}/front-1.jpg"):
        house.storage.write(key, PNG, "image/png")

    async def main():
        async with house.working() as queue:
            return await queue.find(id)

    assert ran(main()) is None and "Anna" not in json.dumps(house.record(id))
    assert house.storage.keys(f"avatars/{id}/") == house.storage.keys(f"photos/{id}/") == []


def test_old_marks_go_and_unreadable_records_are_left_alone(house, caplog):
    old, odd = new(), new()
    house.queue()
    long_ago = time.time() - FORGET_S - 10
    record = JobRecord(id=old, job=None, added=long_ago, deleted=long_ago)
    (house.folder / "jobs" / f"{old}.json").write_text(record.model_dump_json())
    (house.folder / "jobs" / f"{odd}.json").write_text('{"id": ')
    (house.folder / "jobs" / "evil.json").write_text(record.model_copy(update={"deleted": None}).model_dump_json())
    queue = house.queue()
    assert ran(queue.find(old)) is None and not (house.folder / "jobs" / f"{old}.json").exists()
    assert (house.folder / "jobs" / f"{odd}.json").exists() and "record.unreadable" in caplog.text


def test_a_folder_that_cannot_be_written_is_unavailable_and_nothing_is_half_added(house):
    queue = house.queue()
    (house.folder / "jobs").rename(house.folder / "away")
    (house.folder / "jobs").write_text("")

    async def main():
        id = new()
        with pytest.raises(Unavailable):
            await queue.add(id, job())
        with pytest.raises(Unavailable):
            await queue.ready()
        assert await queue.find(id) is None

    ran(main())


def test_the_end_of_a_job_is_noted_even_where_noting_it_fails_at_first(house, monkeypatch):
    monkeypatch.setattr(local_queue, "WAIT_S", 0.02)
    faults = []

    async def main():
        id = new()
        async with house.working() as queue:
            real = queue._write

            def write(record):
                if record.state in DONE and len(faults) < 2:
                    faults.append(record.state)
                    raise Unavailable("the disk is full")
                real(record)

            queue._write = write
            await queue.add(id, job("refuse" if not faults else ""))
            end = time.monotonic() + SLOWER * 10
            while house.record(id)["state"] not in DONE:
                assert time.monotonic() < end
                await asyncio.sleep(0.02)
        assert house.record(id)["state"] == "failed" and len(faults) == 2

    ran(main())


def test_a_wrong_secret_is_refused_when_it_is_opened(tmp_path):
    house = House(tmp_path)
    with (
        kept(house.settings, "webhook_secret", SecretStr("whsec_short")),
        pytest.raises(ValueError, match="WEBHOOK_SECRET"),
    ):
        house.queue()
