"""The figures of a comparison as bars (matplotlib, extra ``plot``)."""

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
    """Return the endings that name a format, each with its dot.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.backend_bases import FigureCanvasBase  # an extra

    return [f".{ending}" for ending in sorted(FigureCanvasBase.get_supported_filetypes())]


def draw(title: str, figures: Sequence[Figures], path: str) -> None:
    """Draw one panel a figure, one bar a policy.

    Args:
        title: What stands above.
        figures: One a policy.
        path: The file; its ending tells the format, ``.svg``, ``.png`` or ``.pdf`` say.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The file cannot be written.
        ValueError: The file has an ending that no format has.
    """
    # Without pyplot: it would look for a display, and keep the figure.
    from matplotlib.figure import Figure  # an extra

    drawing = Figure(figsize=(3 * len(_PANELS), 3.2), layout="constrained")
    drawing.suptitle(title)
    for axes, (name, label) in zip(drawing.subplots(1, len(_PANELS)), _PANELS, strict=True):
        bars = axes.bar([entry.policy for entry in figures], [getattr(entry, name) for entry in figures])
        axes.bar_label(bars, fmt="{:,.4g}")
        axes.set_title(label, fontsize="medium")
        axes.margins(y=0.15)
    drawing.savefig(path)
