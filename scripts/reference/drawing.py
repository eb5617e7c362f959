"""Boxes and arrows on a grid, as SVG that reads on light and on dark pages.

A browser that opens the file alone takes its own colours from the `<style>` inside; the site draws it with its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

BOX_WIDTH, BOX_HEIGHT = 168, 62
COLUMN, ROW = 256, 118
MARGIN = 24
HEAD = 9

STYLE = """<style>
.mx-box{fill:#f5f5f5;stroke:#757575;stroke-width:1.2}.mx-main{fill:#00796b;stroke:#00796b}
.mx-on-main{fill:#fff!important}.mx-frame{fill:none;stroke:#bdbdbd;stroke-dasharray:6 4}
.mx-title,.mx-words,.mx-label{fill:#212121;font-family:system-ui,sans-serif}
.mx-title{font-size:15px;font-weight:600}.mx-words,.mx-label{font-size:12.5px}.mx-label{fill:#616161}
.mx-arrow{stroke:#757575;stroke-width:1.4;fill:none}.mx-head{fill:#757575}
@media (prefers-color-scheme: dark){.mx-box{fill:#2a2d36}.mx-title,.mx-words{fill:#eee}.mx-label{fill:#bbb}}
</style>"""


@dataclass(frozen=True)
class Box:
    """A thing, in a place of the grid: `column` and `row` from 0, halves allowed; `main` stands out."""

    name: str
    column: float
    row: float
    title: str
    words: str = ""
    main: bool = False

    @property
    def centre(self) -> tuple[float, float]:
        """Where its middle is."""
        return MARGIN + self.column * COLUMN + BOX_WIDTH / 2, MARGIN + self.row * ROW + BOX_HEIGHT / 2


@dataclass(frozen=True)
class Arrow:
    """What leads from one box to another; beside each other, above each other, or around one corner."""

    start: str
    end: str
    words: str = ""
    is_back: bool = False  # also leads back
    falls_first: bool = False  # around the corner: up or down first, then across


@dataclass(frozen=True)
class Frame:
    """A dashed line around boxes from one place of the grid to another."""

    first: tuple[float, float]
    last: tuple[float, float]
    words: str


@dataclass(frozen=True)
class Drawing:
    """A picture, and in `words` what it shows for those who do not see it."""

    words: str
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    frames: Sequence[Frame] = ()

    def svg(self) -> str:
        """Return the picture as SVG."""
        places = {box.name: box for box in self.boxes}
        width = max(box.centre[0] for box in self.boxes) + BOX_WIDTH / 2 + MARGIN
        caption = 24 if self.frames else 0
        height = max(box.centre[1] for box in self.boxes) + BOX_HEIGHT / 2 + MARGIN + caption
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
            f"<title>{escape(self.words)}</title>",
            STYLE,
            *(_frame(frame) for frame in self.frames),
            *(_arrow(arrow, places[arrow.start], places[arrow.end]) for arrow in self.arrows),
            *(_box(box) for box in self.boxes),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"


def _box(box: Box) -> str:
    x, y = box.centre
    kind, on = (" mx-main", " mx-on-main") if box.main else ("", "")
    shape = (
        f'<rect class="mx-box{kind}" x="{x - BOX_WIDTH / 2:g}" y="{y - BOX_HEIGHT / 2:g}" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8"/>'
    )
    lines = [_text(f"mx-title{on}", x, y + (-4 if box.words else 5), box.title)]
    if box.words:
        lines.append(_text(f"mx-words{on}", x, y + 17, box.words))
    return "".join([shape, *lines])


def _frame(frame: Frame) -> str:
    left, top = MARGIN + frame.first[0] * COLUMN - 14, MARGIN + frame.first[1] * ROW - 14
    right = MARGIN + frame.last[0] * COLUMN + BOX_WIDTH + 14
    bottom = MARGIN + frame.last[1] * ROW + BOX_HEIGHT + 14
    box = (
        f'<rect class="mx-frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" rx="10"/>'
    )
    return box + _text("mx-label", (left + right) / 2, bottom + 14, frame.words)


def _arrow(arrow: Arrow, start: Box, end: Box) -> str:
    (x, y), (to_x, to_y) = start.centre, end.centre
    right, down = (1 if to_x > x else -1), (1 if to_y > y else -1)
    if y == to_y:
        points = [(x + right * BOX_WIDTH / 2, y), (to_x - right * BOX_WIDTH / 2, y)]
        place, anchor = ((points[0][0] + points[1][0]) / 2, y - 8), "middle"
    elif x == to_x:
        points = [(x, y + down * BOX_HEIGHT / 2), (x, to_y - down * BOX_HEIGHT / 2)]
        place, anchor = (x + 8, (points[0][1] + points[1][1]) / 2 + 4), "start"
    elif arrow.falls_first:
        points = [(x, y + down * BOX_HEIGHT / 2), (x, to_y), (to_x - right * BOX_WIDTH / 2, to_y)]
        place, anchor = ((x + points[2][0]) / 2, to_y - 8), "middle"
    else:
        points = [(x + right * BOX_WIDTH / 2, y), (to_x, y), (to_x, to_y - down * BOX_HEIGHT / 2)]
        place, anchor = ((points[0][0] + to_x) / 2, y - 8), "middle"
    line = " ".join(f"{a:g},{b:g}" for a, b in points)
    parts = [f'<polyline class="mx-arrow" points="{line}"/>', _head(points[-2], points[-1])]
    if arrow.is_back:
        parts.append(_head(points[1], points[0]))
    if arrow.words:
        parts.append(_text("mx-label", *place, arrow.words, anchor))
    return "".join(parts)


def _head(before: tuple[float, float], point: tuple[float, float]) -> str:
    x, y = point
    across, along = (x - before[0], y - before[1])
    length = abs(across) + abs(along)
    dx, dy = across / length * HEAD, along / length * HEAD
    corners = [(x, y), (x - dx + dy / 2, y - dy + dx / 2), (x - dx - dy / 2, y - dy - dx / 2)]
    return f'<polygon class="mx-head" points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}"/>'


def _text(kind: str, x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'
