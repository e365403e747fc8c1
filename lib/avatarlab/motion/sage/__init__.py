"""The stratified model: codebooks of upper and lower body, two latent diffusions, a decoder, a refiner.

Rebuilt from what is published of SAGE (Feng et al., CVPR 2024, arXiv:2404.13330); nothing of its code is here.
"""

from avatarlab.motion.sage.settings import PAPER, SMALL, TINY, SageSettings

__all__ = ["PAPER", "SMALL", "TINY", "SageSettings"]
