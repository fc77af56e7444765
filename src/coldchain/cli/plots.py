"""How fast was a run, as a drawing that needs no program to be looked at?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from coldchain.cli.printing import duration, size

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 12, 12, 28
_STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


def throughput_plot(throughput: Mapping[str, object], duration_s: float) -> Markup | None:
    """Bytes per second over the time of a run, as SVG; None where nothing moved.

    Made of numbers only, so it is safe in a page as it is.
    """
    from markupsafe import Markup

    step_s, moved = throughput.get("step_s"), throughput.get("moved_bytes")
    if not isinstance(step_s, int | float) or step_s <= 0 or not isinstance(moved, list) or not any(moved):
        return None
    until_s = max(float(duration_s), step_s * len(moved))
    rates = [float(size_bytes) / step_s for size_bytes in moved]
    top = _ceiling(max(rates))
    parts = "".join((*_grid(top), *_times(until_s), _curve(rates, step_s, until_s, top)))
    said = f"Bytes read per second over {duration(until_s)}; at most {size(max(rates))}/s"
    return Markup(  # noqa: S704 - numbers and our own words
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}"><title>{said}</title>{parts}</svg>'
    )


def _ceiling(highest: float) -> float:
    """A round number of bytes, in powers of two, that is not below the highest."""
    unit = 1.0
    while highest / unit > _STEPS[-1]:
        unit *= 1024
    return unit * next(step for step in _STEPS if step * unit >= highest)


def _x(seconds: float, until_s: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / until_s


def _y(rate: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * rate / top


def _grid(top: float) -> Iterator[str]:
    for quarter in range(5):
        rate = top * quarter / 4
        y = _y(rate, top)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{f"{size(rate)}/s" if rate else "0"}</text>'


def _times(until_s: float) -> Iterator[str]:
    step_s = next((step for step in _SECONDS if until_s / step <= 8), _SECONDS[-1])
    step_s *= max(1, round(until_s / step_s / 8))
    if until_s < 1:
        yield f'<text x="{_x(until_s, until_s) - 40:.1f}" y="{_HEIGHT - 8}">{duration(until_s)}</text>'
        return
    for number in range(int(until_s / step_s) + 1):
        x = _x(number * step_s, until_s)
        anchor = "end" if number and x > _WIDTH - 50 else "middle"
        yield f'<text class="{anchor}" x="{x:.1f}" y="{_HEIGHT - 8}">{_moment(number * step_s)}</text>'


def _moment(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"


def _curve(rates: list[float], step_s: float, until_s: float, top: float) -> str:
    """A staircase: each step is a sum, and nothing is known of what was between."""
    corners = [(_x(0, until_s), _y(0, top))]
    for number, rate in enumerate(rates):
        corners.append((_x(number * step_s, until_s), _y(rate, top)))
        corners.append((_x((number + 1) * step_s, until_s), _y(rate, top)))
    corners.append((_x(len(rates) * step_s, until_s), _y(0, top)))
    line = "".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(_without_same(corners)))
    return f'<path class="area" d="{line}Z"/><path class="line" d="{line}"/>'


def _without_same(corners: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    yield corners[0]
    yield from (after for before, after in pairwise(corners) if after != before)
