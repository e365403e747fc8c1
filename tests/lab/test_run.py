"""The stage runner, run for real on a toy project: whole results or none, one sentence for every fault."""

import json
import os
import signal
import subprocess
import time

import pytest
from toy import CELLS, WRITE

SLOW = 'import os, time\nprint("kernel", os.getpid(), flush=True)\nprint("half")\ntime.sleep(60)'
HALF = 'out.mkdir(parents=True, exist_ok=True)\n(out / "half.txt").write_text("half");'


def line(done: subprocess.CompletedProcess) -> str:
    """Return what the user reads; it is one line and no traceback."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_results_report_figures_and_times_take_their_places(finished):
    assert set(finished.results()) == {
        "data/toy/vertices.npy",
        "reports/10_toy.html",
        "reports/metrics/10_toy.json",
    }
    figures = json.loads((finished.root / "reports/metrics/10_toy.json").read_text())
    assert figures == {"vertices": 48, "height_m": 1.7}
    times = json.loads((finished.root / "reports/timings/10_toy.json").read_text())
    assert times["seconds"] >= sum(times["cells_seconds"].values()) > 0 and set(times["cells_seconds"]) == {
        f"cell-0{n}" for n in range(7)
    }
    assert [p.name for p in (finished.root / ".run").iterdir()] == ["toy.lock"]
    assert not list(finished.root.glob("kernel*")), "the kernel's sockets lie in the project"


def test_same_inputs_same_bytes(finished, toy):
    assert toy.run().returncode == 0
    first = toy.results()
    assert toy.run().returncode == 0
    assert toy.results() == first


@pytest.mark.parametrize("earlier", [True, False])
def test_failing_cell_leaves_earlier_results_and_a_readable_report(toy, earlier):
    before = {}
    if earlier:
        assert toy.run().returncode == 0
        before = toy.results()
    toy.write(
        *CELLS[:3], HALF, 'raise ValueError("points must be (3, 3), got (2000, 2)\\nsecond line")', *CELLS[3:]
    )
    said = line(toy.run())
    assert said.startswith("10_toy.ipynb, cell 5: ValueError: points must be (3, 3), got (2000, 2) ")
    assert ".run/toy/failed.html" in said and "Earlier results are untouched" in said
    after = toy.results()
    page = after.pop(".run/toy/failed.html").decode()
    assert after == before
    assert "10_toy.ipynb, cell 5: ValueError" in page and "half.txt" in page
    assert toy.write(*CELLS) and toy.run().returncode == 0
    assert not (toy.root / ".run/toy").exists()


def test_cell_before_the_parameters_is_counted_right(toy):
    nb = json.loads(toy.write(*CELLS).read_text())
    nb["cells"].insert(0, {"cell_type": "code", "id": "x", "metadata": {}, "source": ["1 / 0"], "outputs": []})
    nb["cells"][0]["execution_count"] = None
    (toy.root / "notebooks/10_toy.ipynb").write_text(json.dumps(nb))
    assert line(toy.run()).startswith("10_toy.ipynb, cell 1: ZeroDivisionError: division by zero ")


def test_dead_kernel_is_said_in_words(toy):
    toy.write(*CELLS[:3], "import os\n\nos.kill(os.getpid(), 9)")
    assert "10_toy.ipynb, the kernel died" in line(toy.run())
    assert "data/toy" not in "".join(toy.results())


def wait_for(process: subprocess.Popen, word: str) -> str:
    for text in process.stdout:
        if text.startswith(word):
            return text
    raise AssertionError(f"ended before it printed {word}: {process.stderr.read()}")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_leaves_nothing_half_written_and_no_kernel(toy, number):
    assert toy.run().returncode == 0
    before = toy.results()
    toy.write(*CELLS[:3], HALF, SLOW, *CELLS[3:])
    options = {"cwd": toy.root, "env": toy.environment(), "text": True}
    command = toy.command("avatarlab.lab.run", "toy", "data/toy")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    kernel = int(wait_for(process, "kernel").split()[1])  # printed while the cell still runs
    assert alive(kernel)
    process.send_signal(number)
    _, said = process.communicate(timeout=100)
    assert process.returncode == 128 + number
    assert said == "toy: interrupted; nothing was changed.\n"
    assert toy.results() == before
    deadline = time.monotonic() + 25
    while alive(kernel) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(kernel)


def test_second_run_of_a_running_stage_is_refused(toy):
    import fcntl

    (toy.root / ".run").mkdir()
    with open(toy.root / ".run/toy.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "stage `toy` is running already" in line(toy.run())


def test_unknown_stage_names_the_nearest(toy):
    assert "stage `toi`: no notebook of that name (did you mean `toy`?); stages are toy." in line(toy.run("toi"))
    (toy.root / "notebooks/10_toy.ipynb").unlink()
    assert "there are none in notebooks/" in line(toy.run())


def test_misspelt_parameter_is_refused_by_name(toy):
    toy.params("base:\n  seed: 7\ntoy:\n  point: 200\n  size_m: 1\n  label: toy\n")
    said = line(toy.run())
    assert "`point` is not a parameter of the notebook (did you mean `points`?)" in said
    assert "`points` is missing in params.yaml" in said
    assert toy.results() == {}


def test_of_base_a_notebook_gets_what_it_names(toy):
    toy.params("base: {seed: 7, device: cpu, weights: pretrained}\ntoy: {points: 200, size_m: 1, label: toy}\n")
    assert toy.run().returncode == 0
    page = toy.results()["reports/10_toy.html"].decode()
    assert "<code>seed</code>" in page and "<code>device</code>" not in page
    toy.params("base: {sed: 7}\ntoy: {points: 200, size_m: 1, label: toy}\n")
    assert "`seed` is missing in params.yaml" in line(toy.run())


def test_missing_input_is_named_with_the_command_that_makes_it(toy):
    deps = "params.yaml, models/body, data/fingerprints/toy.json"
    (toy.root / "dvc.yaml").write_text(f"stages:\n  toy:\n    cmd: x\n    deps: [{deps}]\n")
    needed = "models/body, data/fingerprints/toy.json"
    assert line(toy.run()) == f"stage `toy` needs {needed}, not there yet; run `dvc repro toy`."


@pytest.mark.parametrize("out", [".", "data", "../toy", "data/other", "toy", "/tmp/toy"])
def test_only_a_folder_named_after_the_stage_is_replaced(toy, out):
    assert f"out: got {out}, expected a folder of the project that is named after the stage" in line(
        toy.run(out=out)
    )
    assert (toy.root / "params.yaml").exists()


def test_missing_metrics_fail_the_stage(toy):
    toy.write(*CELLS[:-1])
    assert "metrics.json: the notebook wrote none" in line(toy.run())
    assert toy.results() == {}


def test_full_disk_while_publishing_keeps_what_was_there(toy):
    assert toy.run().returncode == 0
    before = toy.results()
    toy.params("base:\n  seed: 8\ntoy:\n  points: 300\n  size_m: 2\n  label: toy\n")
    code = """
import errno, pathlib, sys
from avatarlab.lab import run
rename = pathlib.Path.rename
def full(self, target):
    if ".json" in self.name and ".new" in self.name:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))
    return rename(self, target)
pathlib.Path.rename = full
sys.exit(run.main(["toy", "data/toy"]))
"""
    said = line(toy.call(toy.command("x")[0], "-c", code))
    assert said.startswith("No space left on the disk (") and "free some and run again" in said
    assert toy.results() == before


def test_full_disk_inside_a_cell(toy):
    assert toy.run().returncode == 0
    before = toy.results()
    toy.write(
        *CELLS[:-1], 'import errno\n\nraise OSError(errno.ENOSPC, "No space left on device", "big.npz")', WRITE
    )
    assert "cell 7: OSError: [Errno 28] No space left on device: 'big.npz'" in line(toy.run())
    after = toy.results()
    assert after.pop(".run/toy/failed.html")
    assert after == before


HEAVY = {"torch", "scipy", "matplotlib", "warp", "cv2", "anny", "mediapipe", "rfc3987_syntax.syntax_helpers"}
"""What takes a second or more to import; the runner of a stage needs none of it."""


def test_the_runner_of_a_stage_loads_nothing_heavy(toy):
    """Imports are the fixed cost of every stage; counted, not timed."""
    code = "import sys, avatarlab.lab.run; print(*(name for name, found in sys.modules.items() if found))"
    done = subprocess.run(
        toy.command("avatarlab.lab.run")[:1] + ["-c", code],
        cwd=toy.root, env=toy.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not HEAVY & set(done.stdout.split())
