"""What any model of motion must beat: the mean pose, the nearest frames, a straight line; each from one frame alone."""

from avatarlab.motion.baselines.predict import NAMES, FrameByFrame, all_learned, learned

__all__ = ["NAMES", "FrameByFrame", "all_learned", "learned"]
