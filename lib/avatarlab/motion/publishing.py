"""What is written beside the weights of every model of motion: which data, whose, under which licence."""

from collections.abc import Mapping, Sequence

from avatarlab.motion.data.library import Library

FREE = "CMU motion data: free for all uses, not to be resold as data (mocap.cs.cmu.edu); weights and code: see LICENSE."
SHARE_ALIKE = (
    "Learned from HDM05 too, which is CC BY-SA 3.0 (Mueller et al., report CG-2007-2): pass on alike, name it. "
)


def name(model: str, split: str) -> str:
    """The weights file of a model (without ending) that learned nothing of a split's test segments."""
    return f"motion_{model}_{split}"


def card(
    library: Library, segments: Sequence[int], split: str, parameters: Mapping, metrics: Mapping, commit: str
):
    """The JSON card of weights that learned from ``segments`` of ``library``."""
    by_source = {name: [k for k in segments if library.sources[k] == name] for name in sorted({*library.sources})}
    by_source = {name: mine for name, mine in by_source.items() if mine}
    shared = any("hdm05" in source.lower() for source in by_source)
    minutes = library.length(segments) / 60 / 60
    said = ", ".join(f"{len(mine)} of {source}" for source, mine in by_source.items())
    return {
        "data": f"{minutes:.1f} min of motion at 60 Hz, {len(segments)} segments ({said}); split {split}, its train side.",
        "frames": {source: library.length(mine) for source, mine in by_source.items()},
        "parameters": dict(parameters),
        "commit": commit,
        "metrics": dict(metrics),
        "licence": (SHARE_ALIKE if shared else "") + FREE,
        "split": split,
    }
