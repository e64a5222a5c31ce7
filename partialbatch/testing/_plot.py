"""Draws the figures of a comparison as bars, with matplotlib (extra ``plot``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from partialbatch.testing._comparison import Figures

__all__ = ["draw", "endings"]

_PANELS = (
    ("invocations", "invocations"),
    ("duplicated", "duplicated work (runs)"),
    ("seconds", "time to drain (s)"),
    ("in_order", "groups in order"),
    ("lost", "records lost"),
)


def endings() -> list[str]:
    """Return the file endings of the formats that matplotlib can write, each with its dot.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.backend_bases import FigureCanvasBase  # an extra

    return [f".{ending}" for ending in sorted(FigureCanvasBase.get_supported_filetypes())]


def draw(title: str, figures: Sequence[Figures], path: str) -> None:
    """Draw a panel for each figure, with a bar for each policy.

    Args:
        title: The text above the panels.
        figures: The figures of each policy.
        path: The file to write. Its ending decides the format, such as ``.svg``, ``.png`` or ``.pdf``.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The file can't be written.
        ValueError: No format has the ending of the file.
    """
    # Not pyplot, which looks for a display and keeps the figure in memory.
    from matplotlib.figure import Figure  # an extra

    drawing = Figure(figsize=(3 * len(_PANELS), 3.2), layout="constrained")
    drawing.suptitle(title)
    for axes, (name, label) in zip(drawing.subplots(1, len(_PANELS)), _PANELS, strict=True):
        bars = axes.bar([entry.policy for entry in figures], [getattr(entry, name) for entry in figures])
        axes.bar_label(bars, fmt="{:,.4g}")
        axes.set_title(label, fontsize="medium")
        axes.margins(y=0.15)
    drawing.savefig(path)
