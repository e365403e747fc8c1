"""avatarlab: a reproducible notebook lab for digital humans."""

import os
from pathlib import Path

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parents[2]
"""The checkout this package runs from; notebooks name their inputs through it, never through the cwd."""

DATA = Path(os.environ.get("AVATARLAB_DATA", ROOT.parent / "shared" / "data"))
"""Optional real data (see README); nothing in the pipeline's defaults needs it."""
