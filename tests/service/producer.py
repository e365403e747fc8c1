"""A producer in Node with the real BullMQ, as a shop's backend would be, driven from Python."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


def produce(
    npm: Path, redis_url: str, queue: str, jobs: list[dict], seconds: float = 30, bullmq: str = "bullmq"
) -> list[dict]:
    """Add ``jobs`` ({id, data, options?}) from Node; return the queue's events until all have ended.

    An event is {event: added | progress | duplicated | completed | failed, id, at (ms), data}; 0 seconds: only add.
    ``bullmq``: the package, of package.json.
    """
    asked = {"url": redis_url, "queue": queue, "jobs": jobs, "seconds": seconds, "bullmq": bullmq}
    done = subprocess.run(
        ["node", str(HERE / "producer.cjs")],
        input=json.dumps(asked),
        env=os.environ | {"NODE_PATH": str(npm)},
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
