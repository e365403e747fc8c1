"""What worker and API count for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)

JOBS = Counter("avatar_jobs", "Jobs that a worker ended, by result", ["result"])
"""result: completed, placeholder, known (its manifest was there), refused, retried, failed, deleted."""
JOB_SECONDS = Histogram("avatar_job_seconds", "From taking a job up to its manifest", buckets=SECONDS)
STAGE_SECONDS = Histogram("avatar_stage_seconds", "Seconds of each stage of a job", ["stage"], buckets=SECONDS)
ACTIVE = Gauge("avatar_jobs_active", "Jobs being worked on by this worker")
STALLED = Counter("avatar_jobs_stalled", "Jobs found abandoned by a worker that died")
CHILD_DEATHS = Counter("avatar_child_deaths", "Child processes that ended over a job", ["why"])
"""why: died, time, memory, start."""
CALLBACKS = Counter("avatar_callbacks", "Callbacks tried, by answer", ["result"])
"""result: delivered, retried, refused, gone."""
QUEUED = Gauge("avatar_queue_jobs", "Jobs in the queue by state, as last asked", ["state"])
REQUESTS = Counter("avatar_http_requests", "Requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("avatar_http_seconds", "Seconds until the answer", ["route"], buckets=SECONDS)
