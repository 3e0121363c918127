"""Accuracy against epsilon as SVG, one panel a data set."""

import math
from collections.abc import Sequence

from experiments.privacy.accuracy.plan import EPSILONS, KINDS, SEEDS, DataSet, name_of
from experiments.privacy.accuracy.results import Scores, mean_and_spread, ordinary, public
from slimlit.explain.drawing import text_width

_PANEL, _GAP, _LEFT, _TOP, _HEIGHT = 230, 34, 44, 64, 210
_STYLE = """<style>
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1b1f24}
.title{font-weight:600;font-size:13px}.muted{fill:#59636e}.paper{fill:#ffffff}
.grid{stroke:#d0d7de}.ordinary{stroke:#1b1f24;stroke-dasharray:6 4}.floor{stroke:#59636e;stroke-dasharray:1 4;stroke-linecap:round}
.without{stroke:#57606a;fill:#57606a}.with{stroke:#bc4c00;fill:#bc4c00}
polyline{fill:none!important}line,polyline{stroke-width:2}.grid{stroke-width:1}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.muted{fill:#9da7b1}.paper{fill:#0d1117}.grid{stroke:#3d444d}
.ordinary{stroke:#f0f6fc}.floor{stroke:#9da7b1}.without{stroke:#9da7b1;fill:#9da7b1}.with{stroke:#f0883e;fill:#f0883e}}
</style>"""


def plot(scores: Scores, sets: Sequence[DataSet]) -> str:
    """The drawing: dots are means, bars go from the lowest seed to the highest; epsilon 0 is public text alone."""
    low, high = _range(scores, sets)
    width, height = _LEFT + len(sets) * (_PANEL + _GAP), _TOP + _HEIGHT + 48
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
    ]
    parts += [_STYLE, f'<rect class="paper" width="{width}" height="{height}"/>', *_key()]
    for number, data in enumerate(sets):
        parts += _panel(scores, data, _LEFT + number * (_PANEL + _GAP), low, high)
    return "\n".join([*parts, "</svg>\n"])


def _key() -> list[str]:
    parts, x = [], float(_LEFT)
    names = {
        "with": "with distillation",
        "without": "without",
        "ordinary": "all of it trained, not private",
        "floor": "95 % of that",
    }
    for kind, name in names.items():
        parts.append(f'<line class="{kind}" x1="{x}" x2="{x + 24}" y1="20" y2="20"/>')
        parts.append(f'<text x="{x + 30}" y="24">{name}</text>')
        x += 50 + text_width(name, 12.0)
    return parts


def _lines(scores: Scores, data: DataSet) -> dict[str, list[tuple[float, float, float, int] | None]]:
    """By kind: what public text alone gives, then each epsilon."""
    alone = public(scores, data)
    return {
        kind: [
            alone if kind == "with" else None,
            *(
                mean_and_spread(scores, (name_of(data.name, kind, epsilon, seed) for seed in SEEDS))
                for epsilon in EPSILONS
            ),
        ]
        for kind in KINDS
    }


def _range(scores: Scores, sets: Sequence[DataSet]) -> tuple[int, int]:
    """Lowest and highest tick, in per cent, of all panels."""
    values = [
        value for data in sets for line in _lines(scores, data).values() for one in line if one for value in one[:3]
    ]
    values += [whole[0] * share for data in sets if (whole := ordinary(scores, data.name)) for share in (0.95, 1.0)]
    return (math.floor(min(values) * 50) * 2, math.ceil(max(values) * 50) * 2) if values else (0, 100)


def _panel(scores: Scores, data: DataSet, left: float, low: int, high: int) -> list[str]:
    names = ["ε = 0", *("none" if epsilon is None else f"ε = {epsilon:g}" for epsilon in EPSILONS)]
    xs = [left + _PANEL * (0.1 + 0.8 * at / (len(names) - 1)) for at in range(len(names))]

    def height(value: float) -> float:
        return _TOP + _HEIGHT * (high - 100 * value) / (high - low)

    parts = [f'<text class="title" x="{left}" y="{_TOP - 14}">{data.title}</text>']
    for tick in range(low, high + 1, 2 if high - low < 30 else 20):
        y = height(tick / 100)
        parts.append(f'<line class="grid" x1="{left}" x2="{left + _PANEL}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="muted" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    for name, x in zip(names, xs, strict=True):
        parts.append(f'<text class="muted" x="{x:.1f}" y="{_TOP + _HEIGHT + 20}" text-anchor="middle">{name}</text>')
    whole = ordinary(scores, data.name)
    for kind, value in (("ordinary", whole[0]), ("floor", 0.95 * whole[0])) if whole else ():
        y = height(value)
        parts.append(f'<line class="{kind}" x1="{left}" x2="{left + _PANEL}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for shift, (kind, line) in zip((-3, 3), _lines(scores, data).items(), strict=True):
        places = [(x + shift, one) for x, one in zip(xs, line, strict=True) if one]
        corners = " ".join(f"{x:.1f},{height(one[0]):.1f}" for x, one in places)
        parts.append(f'<polyline class="{kind}" points="{corners}"/>')
        for x, (mean, lowest, highest, _) in places:
            y = height(mean)
            parts.append(
                f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{height(lowest):.1f}" y2="{height(highest):.1f}"/>'
            )
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
    return parts
