"""Draws false cut-offs against waits as an SVG: a dot a setting, a colour an engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 50, 60
COLOURS = ("#1565c0", "#c62828", "#2e7d32", "#6a1b9a")


@dataclass(frozen=True, slots=True)
class Dot:
    """One setting of one engine."""

    engine: str
    setting: str
    wait_ms: float
    cut_off_percent: float


def draw(dots: Sequence[Dot], *, limit_percent: float, limit_ms: float) -> str:
    """The picture as text. The box at the lower left is what was promised."""
    most_ms = max([dot.wait_ms for dot in dots] + [limit_ms]) * 1.15
    most_percent = max([dot.cut_off_percent for dot in dots] + [limit_percent]) * 1.1

    def x(wait_ms: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * wait_ms / most_ms, 1)

    def y(percent: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * percent / most_percent, 1)

    shapes = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 24, "False cut-offs against the median wait after the true end, whole set", "middle", 15),
        f'<rect x="{x(0)}" y="{y(limit_percent)}" width="{round(x(limit_ms) - x(0), 1)}" '
        f'height="{round(y(0) - y(limit_percent), 1)}" fill="#e8f5e9" stroke="#a5d6a7"/>',
    ]
    for ms in range(0, int(most_ms) + 1, 100):
        shapes += [_rule(x(ms), y(0), x(ms), y(most_percent)), _text(x(ms), HEIGHT - BOTTOM + 18, str(ms), "middle")]
    for percent in range(0, int(most_percent) + 1, 5 if most_percent < 40 else 10):
        shapes += [
            _rule(x(0), y(percent), x(most_ms), y(percent)), _text(LEFT - 8, y(percent) + 4, str(percent), "end"),
        ]  # fmt: skip
    shapes.append(_text(WIDTH / 2, HEIGHT - 16, "median wait, ms of audio", "middle"))
    shapes.append(_text(LEFT, TOP - 8, "turns cut off, %", "start"))
    engines = list(dict.fromkeys(dot.engine for dot in dots))
    placed: list[tuple[float, float]] = []
    for dot in sorted(dots, key=lambda dot: (dot.cut_off_percent, dot.wait_ms)):
        colour = COLOURS[engines.index(dot.engine) % len(COLOURS)]
        at_x, at_y = x(dot.wait_ms), y(dot.cut_off_percent)
        label_y = at_y + 4
        while any(abs(label_y - other_y) < 12 and abs(at_x - other_x) < 130 for other_x, other_y in placed):
            label_y -= 12
        placed.append((at_x, label_y))
        shapes += [
            f'<line x1="{at_x}" y1="{at_y}" x2="{at_x + 8}" y2="{round(label_y - 4, 1)}" stroke="{colour}"/>',
            f'<circle cx="{at_x}" cy="{at_y}" r="{6 if dot.setting == "default" else 3.5}" fill="{colour}"/>',
            _text(at_x + 10, label_y, dot.setting, "start", 11, colour),
        ]
    shapes += [
        _text(WIDTH - RIGHT, TOP + 16 * index, engine, "end", 13, COLOURS[index % len(COLOURS)])
        for index, engine in enumerate(engines, start=1)
    ]
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n' + "\n".join(shapes) + "\n</svg>\n"


def _text(  # noqa: PLR0917 - a place, a text, how it looks
    x: float, y: float, text: str, anchor: str, size: int = 12, colour: str = "#333"
) -> str:
    place = f'x="{round(x, 1)}" y="{round(y, 1)}" text-anchor="{anchor}"'
    return f'<text {place} font-family="sans-serif" font-size="{size}" fill="{colour}">{escape(text)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#ddd"/>'
