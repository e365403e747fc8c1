"""Chaos: real fits by two workers while workers, children, Redis, storage and receiver fail; nothing lost, nothing double.

`pytest -s` shows the schedule as drawn ($CHAOS_SEED draws another) and the tally.
"""

import asyncio
import json
import os
import random
import sys
from collections import Counter

import pytest
from chaos import LIMIT_S, WANTED_S, Chaos, Moody
from redis_server import RedisServer

from avatarlab.core.files import sha256
from avatarlab.export.glb_reader import Glb
from avatarlab.service.jobs import MANIFEST, Manifest, result_key

NAMES = {
    "avatar.glb", "measurements.json", "quality.json", "person.npz", "mask_front.png", "silhouette_targets.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(swift, tmp_path_factory):
    """The run, stopped; everything that it left behind can be looked at."""
    folder = tmp_path_factory.mktemp("chaos")
    chance = random.Random(int(os.environ.get("CHAOS_SEED", "5")))
    (folder / "redis").mkdir()
    with RedisServer(folder / "redis") as redis, Moody(chance) as receiver:
        chaos = Chaos(folder, redis, swift, receiver, chance)
        try:
            asyncio.run(chaos.run())
            chaos.exits = chaos.stop()
            yield chaos
        finally:
            chaos.end()


def tell(chaos: Chaos) -> dict:
    """The run in figures."""
    lines = sorted((line for post in chaos.posts for line in post.lines()), key=lambda line: line.at)
    events = Counter(line.event for line in lines)
    again_s = []
    for at, job in chaos.killed:
        taken = [line.at for line in lines if line.event == "job.taken" and line.job == job and line.at > at]
        again_s += [round(taken[0] - at, 1)] if taken else []
    return {
        "seconds": round(chaos.seconds, 1),
        "jobs": len(chaos.wishes),
        "faults": dict(chaos.faults),
        "answers of the receiver": dict(chaos.receiver.moods),
        "job starts": events["job.taken"],
        "worker starts": events["worker.starts"],
        "put off, surroundings away": events["job.waits"],
        "tried again": events["job.retried"],
        "found abandoned": events["job.stalled"],
        "done already when taken up": events["job.known"],
        "calls": len(chaos.receiver.calls),
        "effects": len(chaos.receiver.effects),
        "double calls suppressed": chaos.receiver.suppressed,
        "from kill -9 to taken up again (s)": again_s,
    }


@pytest.mark.faults
@pytest.mark.timeout(LIMIT_S + 180)
class TestChaos:
    """One run, looked at from several sides."""

    def test_tally(self, ran):
        tally = tell(ran)
        sys.stdout.write(f"tally {json.dumps(tally, indent=1)}\n")
        assert len(ran.wishes) >= 24 and (ran.seconds < WANTED_S or not ran.quiet)
        planned = Counter(name for _, name in ran.planned)
        assert {name: ran.faults[name] for name in planned} == dict(planned), "every fault was injected"
        assert ran.faults["worker poisoned"] >= 3 and tally["job starts"] > len(ran.wishes)

    def test_every_job_came_to_the_end_it_should(self, ran):
        tickets = ran.tickets()
        for wish in ran.wishes:
            ticket, good = tickets[wish.id], wish.hope in ("whole", "placeholder")
            state = "completed" if good else "failed"
            assert ticket and ticket.state == state, f"{wish.job.subject}: {ticket}"
            assert good or ticket.reason
            if wish.hope == "refused":
                lines = [line for post in ran.posts for line in post.lines() if line.job == wish.id]
                assert [line.event for line in lines].count("job.failed") == 1
                assert "job.retried" not in [line.event for line in lines]

    def test_avatars_are_whole_and_every_hash_is_right(self, ran, tmp_path):
        same = {}
        for wish in ran.wishes:
            data = ran.storage.read(result_key(wish.id, MANIFEST))
            if wish.hope not in ("whole", "placeholder"):
                assert data is None and ran.storage.keys(result_key(wish.id)) == []
                continue
            manifest = Manifest.model_validate_json(data)
            assert manifest.id == wish.id and manifest.job == wish.job
            assert manifest.placeholder == (wish.hope == "placeholder")
            assert manifest.placeholder or set(manifest.files) >= NAMES
            keys = {result_key(wish.id, name) for name in (*manifest.files, MANIFEST)}
            assert set(ran.storage.keys(result_key(wish.id))) == keys
            for name, file in manifest.files.items():
                path = tmp_path / name  # pygltflib goes by the ending
                assert ran.storage.fetch(result_key(wish.id, name), path, 20_000_000) == file.bytes
                assert sha256(path) == file.sha256, f"{wish.job.subject} {name}"
                if name.endswith(".glb"):
                    assert file.bytes < 2_000_000 and path.read_bytes()[:4] == b"glTF"
                    assert "meshopt" in name or len(Glb(path).faces) < 10_000
            assert same.setdefault(wish.job.model_dump_json(), manifest.files) == manifest.files
        assert len(same) < sum(wish.hope == "whole" for wish in ran.wishes), "equal jobs, equal bytes"

    def test_every_caller_was_told_once_what_is_true(self, ran):
        expected = {
            f"cb_{wish.id}_{'completed' if wish.hope in ('whole', 'placeholder') else 'failed'}"
            for wish in ran.wishes
            if wish.effect
        }
        assert set(ran.receiver.effects) == expected
        assert all(call.verified for call in ran.receiver.calls)
        for wish in ran.wishes:
            calls = [call for call in ran.receiver.calls if wish.id in call.id]
            assert len({call.id for call in calls}) == 1 and len({call.body for call in calls}) == 1
            if not wish.effect:
                assert {call.status for call in calls} <= {302, 410}

    def test_nothing_is_left_behind(self, ran):
        assert ran.exits == [0, 0]
        told = Counter(status for post in ran.posts for status in post.exits)
        assert told == {
            -9: ran.faults["worker killed"] + ran.faults["worker poisoned"],
            0: ran.faults["worker ended"],
        }
        assert ran.processes() == []
        assert [path.name for path in ran.temp.iterdir() if path.name.startswith("avatarlab-")] == []
