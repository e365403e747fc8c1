"""Shapes asserted at public doors, because prose rots."""


def expect(name: str, x, shape: tuple, **sizes: int) -> None:
    """Raise ValueError unless ``x.shape`` matches ``shape``.

    ``shape`` holds ints, names (any size, but one size per name; ``sizes`` fixes some) and at most one leading
    ``...`` for batch dimensions, for example ``expect("vertices", v, (..., "V", 3))``.
    """
    got = tuple(x.shape)
    expected = tuple(shape)
    tail = expected[1:] if expected[:1] == (...,) else expected
    fits = len(got) == len(tail) if tail is expected else len(got) >= len(tail)
    bound = dict(sizes)
    for want, have in zip(tail, got[len(got) - len(tail) :] if fits else (), strict=False):
        size = bound.setdefault(want, have) if isinstance(want, str) else want
        fits &= size == have
    if not fits:
        text = ", ".join("..." if d is ... else str(d) for d in expected)
        fixed = "".join(f", {k}={v}" for k, v in sizes.items())
        raise ValueError(f"{name}: got shape {got}, expected ({text}){fixed}.")
