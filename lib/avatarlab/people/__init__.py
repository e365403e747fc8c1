"""Made-up people whose tapes are known, posed, photographed and delivered as what a photo shows: the benchmark's."""

from avatarlab.people.participant import Participant, Participants, Sighting
from avatarlab.people.rendered import Rendered, rendered_person
from avatarlab.people.tracks import delivered

__all__ = ["Participant", "Participants", "Rendered", "Sighting", "delivered", "rendered_person"]
