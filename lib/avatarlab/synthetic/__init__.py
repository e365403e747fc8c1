"""Made-up people whose tapes are known, posed, photographed and delivered as what a photo shows: the benchmark's."""

from avatarlab.synthetic.conditions import delivered
from avatarlab.synthetic.participant import Participant, Participants, Sighting
from avatarlab.synthetic.rendered import Rendered, rendered_person

__all__ = ["Participant", "Participants", "Rendered", "Sighting", "delivered", "rendered_person"]
