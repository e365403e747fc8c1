"""The avatar worker: jobs in, avatars out, nothing lost.

``service.worker`` works off a queue, ``service.api`` serves HTTP, ``service.local`` is both in one process without any
server. Nothing here imports a model but ``service.pipeline``, which runs in the worker's child process.
"""
