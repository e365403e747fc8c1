"""A job from keys to manifest over a real storage and a real child; broken off at every point, it is made right later."""

import asyncio
import uuid

import light
import pytest

from avatarlab.core.errors import InputError
from avatarlab.core.files import sha256
from avatarlab.service import processing
from avatarlab.service.child import Children
from avatarlab.service.jobs import Manifest, Unavailable, result_key
from avatarlab.service.messages import Artifacts, ChildDied
from avatarlab.service.processing import Processor
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import FolderStorage

DATA = {"subject": "anna", "front_key": "p/front.jpg", "side_key": "p/side.jpg", "stature_cm": 170}
URL = "https://shop.example/hook"


class Storage(FolderStorage):
    """Notes the order of writes; from write number ``fails_at`` on it is away."""

    def __init__(self, *given):
        super().__init__(*given)
        self.written, self.fails_at = [], None

    def _count(self, key: str) -> None:
        if self.fails_at is not None and len(self.written) >= self.fails_at:
            raise Unavailable("the storage is away")
        self.written.append(key.rpartition("/")[2])

    def store(self, key, path, content_type):
        self._count(key)
        super().store(key, path, content_type)

    def write(self, key, data, content_type):
        self._count(key)
        super().write(key, data, content_type)


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def children(loop):
    """One child for all tests here, as in a worker."""

    async def started():
        pool = Children(light.load, ServiceSettings())
        await pool.start()
        return pool

    pool = loop.run(started())
    yield pool
    loop.run(pool.close())


class Bench:
    """A processor with what it was given and what it said."""

    def __init__(self, loop, children, folder, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        self.loop, self.folder = loop, folder
        self.storage = Storage(folder / "storage", "http://127.0.0.1:1", light.SECRET)
        for view in ("front", "side"):
            self.storage.write(f"p/{view}.jpg", view.encode() * 100, "image/jpeg")
        self.storage.written.clear()
        self.announced, self.progress, self.asked = [], [], 0
        self.forgotten_at = self.announce_fails = None
        self.id = str(uuid.uuid4())
        self.processor = Processor(
            ServiceSettings(photo_mb=1), self.storage, children, self.announce, self.forgotten
        )

    async def announce(self, event, url):
        if self.announce_fails:
            raise Unavailable("the queue is away")
        self.announced.append((event, url))

    async def forgotten(self, id):
        self.asked += 1
        return self.forgotten_at is not None and self.asked >= self.forgotten_at

    async def tell(self, progress):
        self.progress.append(progress)

    def process(self, id=None, data=None, **more):
        work = self.processor.process(id or self.id, (DATA if data is None else data) | more, self.tell)
        return self.loop.run(work)

    def failed(self, data, reason="why", id=None):
        self.loop.run(self.processor.failed(id or self.id, data, reason))

    def manifest(self) -> Manifest | None:
        data = self.storage.read(result_key(self.id, "manifest.json"))
        return Manifest.model_validate_json(data) if data else None

    def results(self) -> list[str]:
        return [key.rpartition("/")[2] for key in self.storage.keys(result_key(self.id))]

    def temporary(self) -> list:
        (root,) = self.folder.glob("avatarlab-work-*")
        return [path for path in root.iterdir() if path.name != "owner"]


@pytest.fixture
def bench(loop, children, tmp_path, monkeypatch):
    bench = Bench(loop, children, tmp_path, monkeypatch)
    yield bench
    bench.processor.close()
    assert not list(tmp_path.glob("avatarlab-*"))


def test_a_job_becomes_files_then_a_manifest_then_a_callback(bench):
    summary = bench.process(callback_url=URL)
    assert bench.storage.written[-1] == "manifest.json" and len(bench.storage.written) == 3
    manifest = bench.manifest()
    assert manifest.job.subject == "anna" and set(manifest.files) == {"avatar.glb", "measurements.json"}
    path = bench.folder / "glb"
    bench.storage.fetch(result_key(bench.id, "avatar.glb"), path, 10_000)
    assert sha256(path) == manifest.files["avatar.glb"].sha256 and path.read_bytes().endswith(b"side" * 100)
    ((event, url),) = bench.announced
    assert (event.type, event.id, url) == ("avatar.completed", bench.id, URL)
    assert set(summary) == {"placeholder", "files", "seconds"} and set(summary["seconds"]) >= {"download", "fit"}
    assert bench.temporary() == []


def test_equal_jobs_give_equal_manifests_but_for_the_id(bench):
    bench.process()
    first = bench.manifest()
    bench.id = str(uuid.uuid4())
    bench.process()
    assert bench.manifest().data() == first.model_copy(update={"id": bench.id}).data()


def test_progress_only_rises_and_ends_at_100(bench):
    bench.process(subject="seconds=0.05")
    percents = [far.percent for far in bench.progress]
    assert percents == sorted(percents) and percents[-1] == 100
    assert {far.stage for far in bench.progress} <= {"download", "observe", "fit", "export", "upload"}


def test_a_queue_that_takes_no_progress_holds_no_job_up(bench, monkeypatch):
    monkeypatch.setattr(processing, "LAST_WORD_S", 0.05)

    async def silent(_):
        await asyncio.sleep(60)

    async def loud(_):
        raise ConnectionError("gone")

    for bench.tell in (silent, loud):
        bench.id = str(uuid.uuid4())
        assert bench.process()["files"]


def test_where_the_manifest_is_nothing_is_made_again_but_the_callback_announced(bench):
    bench.process(callback_url=URL)
    bench.storage.written.clear()
    assert bench.process(callback_url=URL)["files"] == ["avatar.glb", "measurements.json"]
    assert bench.storage.written == []
    assert [event.key for event, _ in bench.announced] == [f"cb_{bench.id}_completed"] * 2


def test_an_id_that_names_another_job_is_refused(bench):
    bench.process()
    with pytest.raises(InputError, match="names the avatar of another job already"):
        bench.process(stature_cm=171)


@pytest.mark.parametrize("id", ["7", "../../etc", "{id}/x", None])
def test_ids_that_are_no_uuid_are_refused_before_anything_is_touched(bench, id):
    with pytest.raises(InputError, match="id: got"):
        bench.loop.run(bench.processor.process(id, DATA, bench.tell))
    assert bench.asked == 0


def test_an_id_in_capitals_would_share_its_folder_with_another(bench):
    with pytest.raises(InputError, match="expected it in lower case"):
        bench.process(id=bench.id.upper())


@pytest.mark.parametrize("at", [0, 1, 2])
def test_broken_off_at_any_write_there_is_no_manifest_and_the_next_run_makes_it_whole(bench, at):
    bench.storage.fails_at = at
    with pytest.raises(Unavailable):
        bench.process(callback_url=URL)
    assert bench.manifest() is None and bench.announced == [] and bench.temporary() == []
    bench.storage.fails_at = None
    bench.process(callback_url=URL)
    assert set(bench.results()) == {"avatar.glb", "measurements.json", "manifest.json"}
    assert len(bench.announced) == 1


def test_broken_off_between_manifest_and_callback_the_next_run_announces(bench):
    bench.announce_fails = True
    with pytest.raises(Unavailable):
        bench.process(callback_url=URL)
    assert bench.manifest()
    bench.announce_fails = False
    bench.storage.written.clear()
    bench.process(callback_url=URL)
    assert len(bench.announced) == 1 and bench.storage.written == []


def test_another_worker_that_was_faster_is_left_alone(bench):
    """Its manifest appears while we make: nothing of ours is written over what it says."""
    make = bench.processor._children.make

    async def overtaken(order, tell):
        made = await make(order, tell)
        bench.processor._children = children
        await bench.processor.process(bench.id, DATA, bench.tell)
        bench.storage.written.clear()
        return made

    class Slow:
        pass

    children, slow = bench.processor._children, Slow()
    slow.make = overtaken
    bench.processor._children = slow
    bench.process()
    assert bench.storage.written == [] and bench.manifest()


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_deleted_at_any_point_nothing_is_left_and_nobody_told(bench, at):
    """Before the making, before the upload, before the manifest, after it."""
    bench.storage.write(result_key(bench.id, "of_an_earlier_run.glb"), b"x", "model/gltf-binary")
    bench.forgotten_at = at
    assert bench.process(callback_url=URL) == {"deleted": True}
    assert bench.results() == [] and bench.announced == [] and bench.asked == at


def test_a_photo_that_is_missing_or_too_large_is_the_jobs_fault(bench):
    with pytest.raises(InputError, match="p/none.jpg: no such object"):
        bench.process(front_key="p/none.jpg")
    bench.storage.write("p/large.jpg", bytes(1_000_001), "image/jpeg")
    with pytest.raises(InputError, match="p/large.jpg: larger than 1 MB"):
        bench.process(front_key="p/large.jpg")
    assert bench.temporary() == []


def test_what_the_child_refuses_is_permanent_and_a_crash_is_not(bench):
    with pytest.raises(InputError, match="no person was found"):
        bench.process(subject="refuse")
    with pytest.raises(ChildDied):
        bench.process(subject="die")
    assert bench.results() == [] and bench.temporary() == []


def test_a_job_given_up_leaves_no_files(bench):
    async def given_up():
        task = asyncio.create_task(bench.processor.process(bench.id, DATA | {"subject": "seconds=5"}, bench.tell))
        while not bench.temporary():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert bench.loop.run(given_up()) and bench.temporary() == []


@pytest.mark.parametrize("name", ["../x.glb", "manifest.json", "a/b.glb", ".hidden", "", "x" * 101])
def test_a_childs_word_for_a_file_name_is_not_taken(tmp_path, name):
    with pytest.raises(ValueError, match="no plain file"):
        processing._described(tmp_path, Artifacts({name: "x"}, False, [], [], {}, {}))


def test_a_link_is_no_result(tmp_path):
    (tmp_path / "avatar.glb").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="no plain file"):
        processing._described(tmp_path, Artifacts({"avatar.glb": "x"}, False, [], [], {}, {}))


def test_a_failure_is_announced_with_its_reason(bench):
    bench.failed(DATA | {"callback_url": URL}, "r" * 5000)
    ((event, url),) = bench.announced
    assert (event.type, event.subject, url) == ("avatar.failed", "anna", URL) and len(event.reason) == 1000
    assert event.key == f"cb_{bench.id}_failed"


def test_a_failure_whose_manifest_is_there_is_a_success(bench):
    """Redis was lost in the very moment in which the job was done, and it was its last attempt."""
    bench.announce_fails = True
    with pytest.raises(Unavailable):
        bench.process(callback_url=URL)
    bench.announce_fails = False
    bench.failed(DATA | {"callback_url": URL})
    assert [event.type for event, _ in bench.announced] == ["avatar.completed"]
    bench.failed(DATA | {"callback_url": URL, "stature_cm": 171})
    assert [event.type for event, _ in bench.announced] == ["avatar.completed", "avatar.failed"]


def test_a_caller_whose_job_is_wrong_is_told_where_it_can_be(bench):
    bench.failed({"subject": "anna", "callback_url": URL, "stature_cm": 1.7, "no": "field"})
    assert [event.type for event, _ in bench.announced] == ["avatar.failed"]
    bench.failed({"callback_url": URL, "subject": 7})
    assert [(event.subject, url) for event, url in bench.announced] == [("anna", URL), ("", URL)]
    for data in (DATA, None, [], {"callback_url": 7}, DATA | {"callback_url": "file:///etc/passwd"}):
        bench.failed(data)
    bench.failed(DATA | {"callback_url": URL}, id="../x")
    bench.forgotten_at = 0
    bench.failed(DATA | {"callback_url": URL})
    assert len(bench.announced) == 2


def test_a_failed_job_may_be_kept_unless_it_was_deleted(bench):
    async def kept(data):
        return await bench.processor.failed(bench.id, data, "why")

    assert [bench.loop.run(kept(data)) for data in (DATA, {}, DATA | {"callback_url": URL})] == [True] * 3
    bench.forgotten_at = 0
    assert [bench.loop.run(kept(data)) for data in (DATA, {}, DATA | {"callback_url": URL})] == [False] * 3


def test_of_a_deleted_job_photos_that_came_too_late_go_too(bench):
    """A POST was storing them while the DELETE came; what its callback's address is does not matter any more."""
    late, other = f"photos/{bench.id}/front-1.jpg", f"photos/{uuid.uuid4()}/front-1.jpg"
    for key in (late, other):
        bench.storage.write(key, b"x", "image/jpeg")
    bench.forgotten_at = 1
    assert bench.process(callback_url="https://10.0.0.1/") == {"deleted": True}
    assert bench.storage.read(late) is None and bench.storage.read(other) == b"x"


def test_a_manifest_that_nobody_can_read_is_made_anew(bench):
    bench.storage.write(result_key(bench.id, "manifest.json"), b'{"form": "other/9"}', "application/json")
    bench.process()
    assert bench.manifest().files
