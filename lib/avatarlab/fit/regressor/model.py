"""The network: one encoder for every view, then a distribution over shape and tapes, and camera and pose of each view.

Its answer on shape and tapes starts from a line in what is given and in the outline's widths at the levels of the
body, fitted by least squares before training; the network learns what is not linear. After STRAPS (Sengupta et al.
2020, arXiv:2009.10013: silhouettes and keypoints in, a distribution out, made-up people only) and BMnet (Ruiz et al.
2022, arXiv:2210.05667: tapes straight from silhouettes, stature and weight; hard bodies by gradient ascent).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from avatarlab.fit.estimator.state import POSE
from avatarlab.fit.regressor.crop import CHANNELS, COLUMNS, PERSON_PX, ROWS
from avatarlab.fit.regressor.encoding import FRAME, GIVEN, LEVEL, View, from_six, six
from avatarlab.measure import MEASURES
from avatarlab.photo import skeleton

PROFILES = 7
"""Widths of mask, trunk, arms and legs; middles of mask and trunk, and the legs' balance; all in 16 px."""
KNOTS = (skeleton.SHOULDERS, skeleton.HIPS, skeleton.KNEES, skeleton.ANKLES)
BETWEEN = (10, 24, 16, 12, 4)
"""Levels from the head's top to the shoulders, hips, knees, ankles and soles."""
LEVELS = sum(BETWEEN)


def profiles(image: Tensor, points: Tensor) -> Tensor:
    """Crops (M, CHANNELS, ROWS, COLUMNS), keypoints (M, 33, 3) crop px -> (M, PROFILES, LEVELS)."""
    return sample_rows(row_profiles(image), levels(points))


def row_profiles(image: Tensor) -> Tensor:
    """Crops (M, CHANNELS, ROWS, COLUMNS) -> the PROFILES of every row (M, PROFILES, ROWS)."""
    across = (torch.arange(COLUMNS, device=image.device, dtype=image.dtype) + 0.5 - COLUMNS / 2) / 16
    widths = image.abs().sum(-1) / 16
    moments = (image[:, :2] * across).sum(-1) / 16
    return torch.cat([widths, moments, image[:, 3:].sum(-1) / 16], 1)


def levels(points: Tensor) -> Tensor:
    """Keypoints (M, 33, 3) crop px -> heights (M, LEVELS) crop px, evenly between the knots."""
    ends = points.new_tensor([(ROWS - PERSON_PX) / 2, (ROWS + PERSON_PX) / 2]).expand(len(points), 2)
    knots = [ends[:, 0], *(points[:, list(pair), 1].mean(1) for pair in KNOTS), ends[:, 1]]
    spans = zip(knots[:-1], knots[1:], BETWEEN, strict=True)
    steps = [(torch.arange(count, device=points.device) + 0.5) / count for count in BETWEEN]
    return torch.cat([a[:, None] + (b - a)[:, None] * steps[k] for k, (a, b, _) in enumerate(spans)], 1)


def sample_rows(rows: Tensor, heights: Tensor) -> Tensor:
    """Rows (M, P, ROWS) read between their middles at heights (M, L) px -> (M, P, L)."""
    at = (heights - 0.5).clamp(0, ROWS - 1.001)
    low = at.floor()
    share = (at - low)[:, None]
    low = low.long()[:, None].expand(-1, rows.shape[1], -1)
    return rows.gather(2, low) * (1 - share) + rows.gather(2, low + 1) * share


VIEWS = 2
"""Slots of views: front, side."""
POINTS = 33
SHAPES = 48
NUMBERS = SHAPES + len(MEASURES)
"""What is predicted of a person: components, then tapes in TAPE_M about the typical ones."""
TAPE_M = 0.05
FEATURES = 256
SEEN = PROFILES * LEVELS + 3 * POINTS + FRAME
"""Plain numbers of one view: widths, keypoints, camera."""
SIGHT = 6 + 3 + POSE
"""What is predicted of a view: six numbers of its turn off a level camera's, place, pose."""
PATTERNS = 3
"""Front alone, side alone, both: each has a line of its own."""
LOG_VARIANCE = (-8.0, 2.0)


class RegressorInput(NamedTuple):
    """A batch of N people as the network sees them.

    image (N, 2, CHANNELS, ROWS, COLUMNS); points (N, 2, 33, 3) crop px and visibility; frame (N, 2, FRAME);
    present (N, 2) 1 where there is such a view; given (N, GIVEN).
    """

    image: Tensor
    points: Tensor
    frame: Tensor
    present: Tensor
    given: Tensor


class RegressorOutput(NamedTuple):
    """mean and log_variance (N, NUMBERS) of components and tapes; views with (N, 2, ...)."""

    mean: Tensor
    log_variance: Tensor
    views: View

    @property
    def betas(self) -> Tensor:
        """The components' means (N, SHAPES)."""
        return self.mean[:, :SHAPES]


def _conv(inward: int, outward: int, stride: int, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inward, outward, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outward), nn.ReLU())


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity."""

    def __init__(self, width: int):
        super().__init__()
        self.first = _conv(width, width, 1)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class Encoder(nn.Module):
    """One view -> FEATURES numbers: a small ResNet beside the plain numbers.

    ``bfloat16`` trains the ResNet in that precision, which halves its time on processors that have it.
    """

    bfloat16 = False

    def __init__(self, width: int):
        super().__init__()
        w = width
        self.picture = nn.Sequential(
            _conv(CHANNELS, w, 2, 5), _conv(w, 2 * w, 2), Residual(2 * w), _conv(2 * w, 4 * w, 2), Residual(4 * w),
            _conv(4 * w, 8 * w, 2), nn.Conv2d(8 * w, 32, 1), nn.Flatten(),
            nn.Linear(32 * (ROWS // 16) * (COLUMNS // 16), FEATURES),
        )  # fmt: skip
        self.plain = nn.Sequential(nn.Linear(SEEN, FEATURES), nn.ReLU(), nn.Linear(FEATURES, FEATURES))
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, FEATURES), nn.ReLU())

    def forward(self, image: Tensor, plain: Tensor) -> Tensor:
        """image (M, CHANNELS, ROWS, COLUMNS), plain (M, SEEN) -> (M, FEATURES)."""
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.bfloat16 and self.training):
            picture = self.picture(image.contiguous(memory_format=torch.channels_last))
        return self.last(picture.float() + self.plain(plain))


def centre_keypoints(points: Tensor) -> Tensor:
    """Keypoints (..., 33, 3) crop px -> about the crop's middle, in 64 px; visibility as it is."""
    middle = points.new_tensor([COLUMNS / 2, ROWS / 2])
    return torch.cat([(points[..., :2] - middle) / 64, points[..., 2:]], -1)


def plain_numbers(seen: RegressorInput) -> Tensor:
    """The plain numbers (N, 2, SEEN) of every view; zero where there is none."""
    image, points = seen.image.flatten(0, 1), seen.points.flatten(0, 1)
    widths = profiles(image, points).flatten(1).unflatten(0, seen.present.shape)
    return torch.cat([widths, centre_keypoints(seen.points).flatten(2), seen.frame], -1) * seen.present[..., None]


def pattern(present: Tensor) -> Tensor:
    """Which line holds (N,): 0 front alone, 1 side alone, 2 both."""
    return torch.where(present[:, 1] == 0, 0, torch.where(present[:, 0] == 0, 1, 2))


def design(plain: Tensor, given: Tensor) -> Tensor:
    """What a line is drawn through: given (N, GIVEN), then the plain numbers of both views."""
    return torch.cat([given, plain.flatten(1)], 1)


def sight_design(plain: Tensor) -> Tensor:
    """What the line of every view is drawn through: plain numbers (N, 2, SEEN), 1 before them."""
    return torch.cat([torch.ones_like(plain[..., :1]), plain], -1)


def as_numbers(view: View) -> Tensor:
    """View of (...) -> (..., SIGHT)."""
    return torch.cat([six(view.turn) - six(LEVEL).to(view.turn), view.place, view.pose], -1)


def as_view(numbers: Tensor) -> View:
    """(..., SIGHT) -> View, turns made rotations; the inverse of ``as_numbers``."""
    return View(from_six(six(LEVEL).to(numbers) + numbers[..., :6]), numbers[..., 6:9], numbers[..., 9:])


class Regressor(nn.Module):
    """Seen -> Said. About 1.8 million numbers at ``width`` 16."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.width = width
        self.encoder = Encoder(width)
        both = VIEWS * FEATURES + GIVEN + VIEWS
        self.person = nn.Sequential(nn.Linear(both, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU())
        self.shape = nn.Linear(512, 2 * NUMBERS)
        self.view = nn.Sequential(nn.Linear(FEATURES + 512 + 1, 256), nn.ReLU(), nn.Linear(256, SIGHT))
        self.register_buffer("line", torch.zeros(PATTERNS, GIVEN + VIEWS * SEEN, NUMBERS))
        self.register_buffer("line_log_variance", torch.zeros(PATTERNS, NUMBERS))
        self.register_buffer("view_line", torch.zeros(VIEWS, 1 + SEEN, SIGHT))
        self.register_buffer("typical_um", torch.zeros(len(MEASURES), dtype=torch.int32))
        for head in (self.shape, self.view[-1]):
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)

    def forward(self, seen: RegressorInput) -> RegressorOutput:
        plain, there = plain_numbers(seen), seen.present > 0
        found = self.encoder(seen.image[there], plain[there])
        each = found.new_zeros(*there.shape, FEATURES).masked_scatter(there[..., None], found)
        person = self.person(torch.cat([each.flatten(1), seen.given, seen.present], 1))
        change, log_variance = self.shape(person).chunk(2, 1)
        which = pattern(seen.present)
        mean = torch.einsum("nd,ndk->nk", design(plain, seen.given), self.line[which]) + change
        log_variance = (self.line_log_variance[which] + log_variance).clamp(*LOG_VARIANCE)
        return RegressorOutput(mean, log_variance, self._views(plain, each, person))

    def _views(self, plain: Tensor, each: Tensor, person: Tensor) -> View:
        side = torch.arange(VIEWS, dtype=each.dtype, device=each.device).expand(len(each), VIEWS)[..., None]
        change = self.view(torch.cat([each, person[:, None].expand(-1, VIEWS, -1), side], 2))
        return as_view(torch.einsum("nvd,vdk->nvk", sight_design(plain), self.view_line) + change)

    def tapes_m(self, mean: Tensor) -> Tensor:
        """Means (N, NUMBERS) -> tapes (N, 16) m."""
        return TAPE_M * mean[:, SHAPES:] + 1e-6 * self.typical_um.float()

    def numbers(self, betas: Tensor, tapes_m: Tensor) -> Tensor:
        """betas (N, SHAPES or more), tapes (N, 16) m -> what the network is to say (N, NUMBERS)."""
        return torch.cat([betas[:, :SHAPES], (tapes_m - 1e-6 * self.typical_um.float()) / TAPE_M], 1)
