"""Whether a sample has one hump or more: times of one kind of server, or of several behind one address."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST = 40
"""Values below which a hump may be a few of them."""
DRAWS = 199
_GRID = 200
"""Places that the density is looked at, and as many bins to each side of them again."""
_STEPS = 20
_FOLD = 1e-9


class Modes(NamedTuple):
    """What speaks against a single hump."""

    p_value: float
    """That there is one: exact for equally likely values, and larger than need be for a hump with slopes."""
    split: float | None
    """The deepest place between the two humps that the density has a little below the bandwidth of one; None: all
    values are the same."""
    n: int


def modes(values: Sequence[float], *, draws: int = DRAWS, seed: int = 0) -> Modes | None:
    """Whether so wide a kernel is needed to give one hump that equally likely values rarely need it.

    h is the smallest bandwidth at which the Gaussian kernel density has one hump between the 2nd and the 98th
    percentile: beyond them single values make humps. p is the share of samples of as many uniform values, these among
    them, that still have two humps or more at h, both being measured by the distance of those percentiles. The
    uniform distribution, which is the least favourable of one hump for the dip test, is taken as the yardstick here as
    well: normal, skewed and heavy-tailed values then stay far below a level of 5 %, at a cost in power. Silverman's own
    bootstrap calls uniform values mixed far too often.

    Source: Silverman, "Using kernel density estimates to investigate multimodality", JRSS B 43 (1981), for h; Hall &
    York, "On the calibration of Silverman's test for multimodality", Statistica Sinica 11 (2001), for looking within an
    interval; Hartigan & Hartigan, "The dip test of unimodality", Annals of Statistics 13 (1985), for the uniform
    distribution as the yardstick.
    """
    import numpy as np  # noqa: PLC0415 - only a report that looks for mixtures waits for it

    if len(values) < FEWEST:
        return None
    sample = np.asarray(values, dtype=float)
    low, high = (float(each) for each in np.quantile(sample, (0.02, 0.98)))
    if high - low <= _FOLD * (1 + abs(low)):
        return Modes(1.0, None, len(values))
    density = _Density(low, high)
    binned = density.binned(sample[None, :])
    width = _critical(density, binned)
    drawn = np.random.default_rng(seed).random((draws, len(sample)))
    first, last = np.quantile(drawn, (0.02, 0.98), axis=1, keepdims=True)
    drawn = low + (high - low) * (drawn - first) / (last - first)
    several = int(np.count_nonzero(density.humps(density.binned(drawn), width) > 1))
    return Modes((1 + several) / (1 + draws), density.trough(binned, 0.95 * width), len(values))


class _Density:
    """A Gaussian kernel density between two bounds, of values in bins."""

    def __init__(self, low: float, high: float) -> None:
        import numpy as np  # noqa: PLC0415 - as above

        self.step = (high - low) / _GRID
        self.places = low + self.step * (np.arange(_GRID) + 0.5)
        self.first = low - _GRID * self.step
        self.bins = self.first + self.step * (np.arange(3 * _GRID) + 0.5)

    def binned(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many values of each row are in each bin; those beyond the last are put into it."""
        import numpy as np  # noqa: PLC0415 - as above

        count = len(self.bins)
        place = np.clip(((rows - self.first) / self.step).astype(int), 0, count - 1)
        flat = np.bincount((place + count * np.arange(len(rows))[:, None]).ravel(), minlength=count * len(rows))
        return flat.reshape(len(rows), count).astype(float)

    def at(self, binned: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        """The density of each row at the places, but for a factor."""
        import numpy as np  # noqa: PLC0415 - as above

        kernel = np.exp(-0.5 * ((self.bins[:, None] - self.places[None, :]) / width) ** 2)
        found: NDArray[np.float64] = binned @ kernel
        return found

    def humps(self, binned: NDArray[np.float64], width: float) -> NDArray[np.int64]:
        """How many maxima each row's density has between the bounds."""
        import numpy as np  # noqa: PLC0415 - as above

        slope = np.diff(self.at(binned, width), axis=1)
        found: NDArray[np.int64] = np.count_nonzero((slope[:, :-1] > 0) & (slope[:, 1:] <= 0), axis=1)
        return found

    def trough(self, binned: NDArray[np.float64], width: float) -> float | None:
        """The lowest minimum between two maxima; None: there are not two."""
        import numpy as np  # noqa: PLC0415 - as above

        density = self.at(binned, width)[0]
        slope = np.diff(density)
        valleys = np.flatnonzero((slope[:-1] < 0) & (slope[1:] >= 0)) + 1
        return float(self.places[min(valleys, key=lambda at: density[at])]) if len(valleys) else None


def _critical(density: _Density, binned: NDArray[np.float64]) -> float:
    """The smallest bandwidth with one hump, by halving: humps only become fewer as it grows."""
    low, high = density.step, density.step * _GRID
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        if int(density.humps(binned, middle)[0]) > 1:
            low = middle
        else:
            high = middle
    return high
