"""Shapes asserted at public doors, because prose rots."""


def expect(name: str, x, shape: tuple, **sizes: int) -> None:
    """Raise ValueError unless ``x.shape`` matches ``shape``.

    ``shape`` holds ints, names (any size, but one size per name; ``sizes`` fixes some) and at most one leading
    ``...`` for batch dimensions, for example ``expect("vertices", v, (..., "V", 3))``.
    """
    got = tuple(x.shape)
    wanted = tuple(shape)
    tail = wanted[1:] if wanted[:1] == (...,) else wanted
    fits = len(got) == len(tail) if tail is wanted else len(got) >= len(tail)
    bound = dict(sizes)
    for want, have in zip(tail, got[len(got) - len(tail) :] if fits else (), strict=False):
        size = bound.setdefault(want, have) if isinstance(want, str) else want
        fits &= size == have
    if not fits:
        text = ", ".join("..." if d is ... else str(d) for d in wanted)
        fixed = "".join(f", {k}={v}" for k, v in sizes.items())
        raise ValueError(f"{name}: got shape {got}, expected ({text}){fixed}.")
