"""Sizes and switches of the stratified model: the paper's, the lab's own, and one that tests train in seconds."""

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class SageSettings:
    """Every number that decides the shape of the networks, and how they see and are sampled.

    The defaults are the paper's. ``normalised``: a window is seen from the head's place and heading in its last frame,
    in features of like size (the paper sees the world as it is); ``mirror``: half of the windows are shown left for
    right; ``all_frames``: every frame of a window is answered for, not the last alone; ``informed``: the refiner sees
    the trackers beside the pose; ``hidden``: share of joints' tracks that the encoder is not shown; ``bend``:
    the error at which SmoothL1 turns straight; ``spacing``: which of the 1000 times the sampler visits, as diffusers
    calls it; ``movements``: how many principal
    movements of windows the codebooks begin from, none in the paper; ``token_heads``: each token of the denoiser has
    its own place and last layer; ``decoder_known``: numbers that the decoder sees of the trackers in a token.
    """

    window: int = 20
    code_width: int = 256
    code_blocks: int = 4
    code_heads: int = 4
    books: int = 8
    entries: int = 64
    entry_size: int = 48
    width: int = 512
    blocks: int = 12
    heads: int = 8
    time_width: int = 512
    decoder_width: int = 256
    decoder_blocks: int = 4
    decoder_heads: int = 4
    refiner_width: int = 512
    refiner_layers: int = 2
    dropout: float = 0.1
    ddim_steps: int = 5
    start_noise: float = 0.01
    spacing: str = "leading"
    normalised: bool = False
    mirror: bool = False
    all_frames: bool = False
    informed: bool = False
    hidden: float = 0.5
    bend: float = 1.0
    code_dropout: float = 0.1
    refiner_dropout: float = 0.0
    movements: int = 0
    token_heads: bool = False
    decoder_known: int = 384

    @property
    def latent(self) -> int:
        """Numbers of a latent token."""
        return self.books * self.entry_size

    @property
    def tokens(self) -> int:
        """Latent tokens of a window: one for two frames."""
        return self.window // 2

    def as_dict(self) -> dict:
        """The settings as JSON holds them."""
        return asdict(self)


PAPER = SageSettings()
"""SAGE's sizes in setting 1 and its ways. Source: the public configuration files of SAGE (facts)."""
OURS = dict(
    normalised=True, mirror=True, all_frames=True, informed=True, hidden=0.0, bend=0.02,
    code_dropout=0.0, refiner_dropout=0.2, movements=160, token_heads=True)  # fmt: skip
SMALL = replace(
    PAPER, code_width=64, code_blocks=2, entry_size=4, decoder_known=128, width=128, blocks=2, heads=4, time_width=64,
    decoder_width=128, decoder_blocks=2, refiner_width=256, refiner_layers=1, ddim_steps=1, spacing="trailing", **OURS,
)  # fmt: skip
"""The published model: two million numbers beside the codebooks, made for three quarters of an hour of motion and a laptop."""
TINY = replace(
    SMALL, code_width=32, code_heads=2, code_blocks=1, width=64, decoder_known=64, blocks=1, heads=2, time_width=32, decoder_width=64,
    decoder_blocks=1, decoder_heads=2, refiner_width=48,
)  # fmt: skip
"""What tests train."""
