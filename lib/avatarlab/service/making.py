"""The child's work behind a door that is light to import: the parent names it, the models come with ``load``."""

from collections.abc import Callable

from avatarlab.service.jobs import JobProgress
from avatarlab.service.messages import Artifacts, Order
from avatarlab.service.settings import ServiceSettings


class Maker:
    """Makes avatars: photos -> person, measurements, GLB. Loaded once per process; equal orders, equal bytes."""

    def __init__(self, chain):
        self._chain = chain

    @classmethod
    def load(cls, settings: ServiceSettings) -> "Maker":
        """Load body, networks and weights (seconds); InputError names what is missing and the remedy."""
        from avatarlab.service.pipeline import Pipeline

        return cls(Pipeline.load(settings))

    def make(self, order: Order, tell: Callable[[JobProgress], None]) -> Artifacts:
        """Fill ``order.out``, telling how far it is; InputError where the photos or the job cannot be used."""
        return self._chain.make(order, tell)
