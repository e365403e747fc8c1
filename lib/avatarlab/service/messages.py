"""What passes between worker and child: the task, its artifacts, and the ways in which a child can end.

Light to import: the worker's parent process holds these, and no model.
"""

from dataclasses import dataclass
from pathlib import Path

from avatarlab.service.jobs import AnyJob


@dataclass(frozen=True)
class Task:
    """A job whose input files (name -> path) are here; results go into the folder ``out``, which is there and empty."""

    job: AnyJob
    inputs: dict[str, Path]
    out: Path


@dataclass(frozen=True)
class Artifacts:
    """What lies in ``out``: files (name -> content type), why it is a placeholder if it is, and how long each stage took (s).

    ``made_by``: version of avatarlab, sha256 of the body file, form of weights.
    """

    files: dict[str, str]
    placeholder: bool
    reasons: list[str]
    warnings: list[str]
    seconds: dict[str, float]
    made_by: dict[str, str]


class ChildDied(Exception):
    """The child ended over a task, or was ended after an error nobody foresaw; worth another try."""

    why = "died"
    """The label of the metric ``avatar_child_deaths``."""


class TimeLimit(ChildDied):
    """The task took longer than it may."""

    why = "time"


class MemoryLimit(ChildDied):
    """The child held more memory than it may."""

    why = "memory"


class StartFailed(ChildDied):
    """The child could not load its models; the sentence names the remedy. Not the fault of any job."""

    why = "start"
