"""How do the medians look?  One SVG, bars beside each other, written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from benchmarks.results import Line, Results

_WIDTH, _BAR, _GAP, _LEFT, _ROOM = 720, 16, 6, 150, 110
_OWN, _OTHER, _INK = "#0b6e99", "#b8c4cc", "#222222"


def draw(results: Results) -> str:
    """A panel for each scenario, each with a scale of its own."""
    body: list[str] = []
    y = 10
    for name, lines in results["scenarios"].items():
        body.append(f'<text x="8" y="{y + 14}" font-weight="bold">{escape(name)}: seconds, shorter is better</text>')
        y += 26
        for drawn in _panel([line for line in lines if line["wall_s"]], y):
            body.append(drawn)
        y += sum(1 for line in lines if line["wall_s"]) * (_BAR + _GAP) + 14
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">'
    )
    title = "<title>Seconds of coldchain and other programs</title>"
    return "\n".join([head, title, f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>', *body, "</svg>", ""])


def _panel(lines: list[Line], y: int) -> Iterator[str]:
    longest = max((line["median_s"] for line in lines), default=1.0)
    for line in lines:
        width = max(1.0, (_WIDTH - _LEFT - _ROOM) * line["median_s"] / longest)
        colour = _OWN if line["program"].startswith("coldchain") else _OTHER
        base = y + _BAR - 4
        yield f'<text x="{_LEFT - 8}" y="{base}" text-anchor="end">{escape(line["program"])}</text>'
        yield f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>'
        spread = f"{line['median_s']:.2f} ({min(line['wall_s']):.2f}–{max(line['wall_s']):.2f})"
        yield f'<text x="{_LEFT + width + 6:.1f}" y="{base}">{spread}</text>'
        y += _BAR + _GAP
