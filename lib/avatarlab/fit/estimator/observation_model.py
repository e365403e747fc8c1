"""What every search on one body needs and none changes: its keypoints, slopes, stature and drawing, made once."""

from weakref import WeakKeyDictionary

from avatarlab.body import Body
from avatarlab.body.jacobians import Jacobians
from avatarlab.fit.estimator.contours import Drawing
from avatarlab.fit.estimator.shape import Stature
from avatarlab.fit.estimator.state import POSED
from avatarlab.photo.keypoints import Keypoints


class ObservationModel:
    """keypoints; slopes of ``all`` vertices and of the ``few`` that keypoints hang on; stature; drawing."""

    def __init__(self, body: Body):
        shapes, turned = len(body.shape_prior()[0]), range(1, POSED)
        self.points, self.stature, self.draw = Keypoints(body), Stature(body), Drawing(body)
        self.all = Jacobians(body, shapes, turned)
        self.few = Jacobians(body, shapes, turned, self.points.vertices)


_known: WeakKeyDictionary = WeakKeyDictionary()


def observation_model(body: Body) -> ObservationModel:
    """The observation model of ``body``, made once per body object."""
    if body not in _known:
        _known[body] = ObservationModel(body)
    return _known[body]
