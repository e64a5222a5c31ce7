"""Make exceptions safe and short to log: an error's text may be long, raise, or quote a record."""

from __future__ import annotations

import builtins
import sys
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from partialbatch._core.pydantic_errors import described_invalid, is_validation_error, without_input
from partialbatch._inspection import is_a, kind_of, members
from partialbatch.errors import clip

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TEXT_SHOWN", "presentable"]

TEXT_SHOWN = 1024
ALL_SHOWN = 16_000
"""The most bytes that the traceback of a record takes in the log."""
_FEW, _SHALLOW = 3, 12
"""A traceback with at most so many exceptions and frames is short enough."""
_DEEPEST = 5


class _Budget(NamedTuple):
    """The part of a tree that is shown: links of a chain, exceptions in all, frames and characters of each."""

    links: int
    exceptions: int
    frames: int
    letters: int


_BUDGETS = (_Budget(8, 24, 12, TEXT_SHOWN), _Budget(4, 8, 6, TEXT_SHOWN // 2), _Budget(2, 4, 0, TEXT_SHOWN // 2))


def presentable(error: BaseException) -> BaseException:
    """Return an exception that is safe and short to log: the error itself, or a stand-in.

    Log handlers format the exception that they get. If an exception in the tree raises, is long, or is pydantic's,
    which quotes its input, a stand-in takes its place. It has the same name, and as much of the traceback as fits.
    """
    tree = list(islice(_tree(error), _BUDGETS[0].exceptions + 1))
    if len(tree) <= _BUDGETS[0].exceptions and all(map(_is_harmless, tree)):
        few = len(tree) <= _FEW and sum(len(_frames(link)) for link in tree) <= _SHALLOW
        if (few and all(map(_is_builtin, tree))) or _size(error) <= ALL_SHOWN:
            return error
    *larger, smallest = _BUDGETS
    shorter = (_StandIns(budget).of(error) for budget in larger)
    return next((shown for shown in shorter if _size(shown) <= ALL_SHOWN), None) or _StandIns(smallest).of(error)


def _is_builtin(error: BaseException) -> bool:
    """Tell whether an exception's class is Python's own, so that formatting it is safe."""
    return getattr(builtins, kind_of(error), None) is type(error)


def _size(error: BaseException) -> int:
    """Return the size of a formatted traceback in bytes, or `sys.maxsize` if it can't be formatted."""
    from traceback import format_exception  # logging has loaded it

    try:
        lines = format_exception(type(error), error, error.__traceback__)
    except BaseException:
        return sys.maxsize
    return sum(len(line.encode(errors="surrogatepass")) for line in lines)


def _field(error: BaseException, name: str) -> Any:
    """Return an attribute of `BaseException`, even if the class has a property of that name, which may raise."""
    return vars(BaseException)[name].__get__(error)


def _tree(error: BaseException) -> Iterator[BaseException]:
    """Yield all exceptions in the traceback of this one: its chain, and the members of groups."""
    seen: set[int] = set()  # by identity: an exception may define its own equality
    pending: list[BaseException | None] = [error]
    while pending:
        link = pending.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            pending.append(_below(link))
            pending.extend(members(link))


def _below(error: BaseException) -> BaseException | None:
    """Return the exception that this one was raised from, or while handling."""
    below: BaseException | None = _field(error, "__cause__")
    if below is None and not _field(error, "__suppress_context__"):
        below = _field(error, "__context__")
    return below  # compared with None, because an exception may define its truth


def _frames(error: BaseException) -> list[TracebackType]:
    frames: list[TracebackType] = []
    link: TracebackType | None = _field(error, "__traceback__")
    while link is not None:
        frames.append(link)
        link = link.tb_next
    return frames


def _is_harmless(error: BaseException) -> bool:
    """Tell whether a traceback may show an exception itself."""
    if is_a(error, SyntaxError) or is_validation_error(error):
        return False  # they quote a line of text, which may be a record's body, or the input
    text = _text(error)
    return text is not None and len(text) <= TEXT_SHOWN and "input_value=" not in text


def _text(error: BaseException) -> str | None:
    """Return the text that a traceback prints for an exception, or None if reading it raises."""
    try:
        # Formatters read all of these.
        _ = repr(error), error.__class__, error.__cause__, error.__context__, error.__traceback__
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    except BaseException:
        return None


def _shown(error: BaseException, letters: int) -> str:
    """Return a short text for an exception, without the input that pydantic's errors quote."""
    text = _text(error)
    if is_validation_error(error):
        try:
            text = described_invalid(error)
        except Exception:
            text = None
    return f"<{kind_of(error)} whose str or repr raises>" if text is None else clip(without_input(text), letters)


class _StandIns:
    """Make stand-ins for exceptions: with the same names, and with safe, short texts."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._left = budget.exceptions
        self._seen: set[int] = set()

    def of(self, error: BaseException, depth: int = 0) -> BaseException:
        """Return a stand-in, with stand-ins for its causes. The middle of a long chain is left out."""
        chain: list[BaseException] = []
        link: BaseException | None = error
        while link is not None and id(link) not in self._seen:
            self._seen.add(id(link))
            chain.append(link)
            link = _below(link)
        links = self._budget.links
        left_out = len(chain) - links if len(chain) > links else 0
        if left_out:
            del chain[(links + 1) // 2 : (links + 1) // 2 + left_out]
        below: BaseException | None = None
        for position, link in reversed(list(enumerate(chain))):
            made = self._short_form(link, depth)
            made.__traceback__ = self._short_traceback(link)
            made.__cause__ = below
            below = made
            if left_out and position == (links + 1) // 2:
                below = Exception(f"({left_out} exceptions between these are left out)")
                below.__cause__ = made
        return below or Exception("(shown above)")

    def _short_form(self, error: BaseException, depth: int) -> BaseException:
        """Return an exception with the same name and a text of its own. A group keeps its members."""
        self._left -= 1
        shown, kind, inside = _shown(error, self._budget.letters), type(error), members(error)
        names = {"__module__": _name(kind, "__module__"), "__qualname__": _name(kind, "__qualname__")}
        bases = (BaseExceptionGroup,) if inside else (Exception,)
        stand_in: type[BaseException] = type(kind_of(error), bases, {**names, "__str__": lambda _: shown})
        if not inside:
            return stand_in(shown)
        kept: list[BaseException] = []
        for position, member in enumerate(inside):
            if self._left <= 0 or depth >= _DEEPEST:
                kept.append(Exception(f"({len(inside) - position} more are left out)"))
                break
            kept.append(self.of(member, depth + 1))
        return stand_in("", kept)

    def _short_traceback(self, error: BaseException) -> TracebackType | None:
        """Return a traceback without the middle of a long one."""
        frames, most = _frames(error), self._budget.frames
        if len(frames) > most:
            frames = [*frames[: most // 2], *frames[len(frames) - most // 2 :]]
        link: TracebackType | None = None
        for frame in reversed(frames):
            link = TracebackType(link, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
        return link


def _name(kind: type, attribute: str) -> str:
    """Return a name of a class, even if its metaclass raises."""
    try:
        name = getattr(kind, attribute)
    except BaseException:
        return "builtins"
    return name if type(name) is str else "builtins"
