"""What the API asks of a queue: BullMQ in Redis (``service.bull``) or the one of a single process (``service.local_queue``)."""

from typing import Protocol

from avatarlab.service.jobs import Ticket
from avatarlab.service.kinds import Job

STATES = ("waiting", "active", "delayed", "completed", "failed")
FORGET_S = 30 * 86_400
"""How long a deleted job's id stays known as deleted (s): longer than any job waits or is kept."""


class Queue(Protocol):
    """Jobs by id; every method raises ``Unavailable`` where the queue cannot be reached."""

    async def add(self, id: str, job: Job) -> bool:
        """Put a job into the queue; False where one of that id is known already, which then stays as it is."""

    async def find(self, id: str) -> Ticket | None:
        """What is known of a job; None where the queue does not know it (any more)."""

    async def counts(self) -> dict[str, int]:
        """Number of jobs in each of ``STATES``."""

    async def forget(self, id: str) -> bool:
        """Mark a job as deleted for ``FORGET_S`` and take it out of the queue; True where a worker holds it now."""

    async def forgotten(self, id: str) -> bool:
        """Whether a job was deleted."""

    async def ready(self) -> None:
        """Return where the queue answers, else raise ``Unavailable``."""

    async def close(self) -> None:
        """Let go of connections."""
