"""Made-up people whose tapes are known, posed, photographed and delivered as what a photo shows: the benchmark's."""

from avatarlab.people.rendered import Rendered, rendered_person

__all__ = ["Rendered", "rendered_person"]
