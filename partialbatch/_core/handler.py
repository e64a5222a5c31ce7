"""The Lambda handler that `batch_handler` makes from a record function."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from partialbatch._core.function.annotations import has_names
from partialbatch._core.function.signature import plan
from partialbatch._core.options import resolve
from partialbatch._core.pipeline import Pipeline
from partialbatch._core.references import BoundReferable, Referable
from partialbatch.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Unpack

    from partialbatch._core.direct import Route
    from partialbatch._core.function.signature import Plan
    from partialbatch._core.options import Options
    from partialbatch._core.results import BatchResult
    from partialbatch.types import BatchResponse

    Target = tuple[Pipeline, Any, Plan, dict[str, Route]]
    """The pipeline, the record function, the plan for calling it, and what earlier batches have shown."""

    # wrapt is untyped up to 1.17. These are its parts that are used here, for type checkers.
    class FunctionWrapper:
        _self_binding: str

        def __init__(self, wrapped: Any, wrapper: Any) -> None: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    class BoundFunctionWrapper(FunctionWrapper):
        _self_instance: Any
        _self_parent: Any

else:
    from wrapt import BoundFunctionWrapper, FunctionWrapper

__all__ = ["BatchHandler", "BoundBatchHandler"]

Function = TypeVar("Function")
Value = TypeVar("Value")


def _lambda_handler(event: Any, context: Any = None) -> Any:
    """Stand in for a handler when other code looks at its signature and code."""


def _lambda_method(self: Any, event: Any, context: Any = None) -> Any:
    """Stand in for a handler that is bound to an instance or a class."""


_lambda_handler.__annotations__ = _lambda_method.__annotations__ = {}  # the signature is ``(event, context=None)``


class _Signature:
    """Shows ``(event, context=None)`` on a handler, whatever it wraps, and the constructor's signature on the class."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            return inspect.signature(_lambda_handler)
        shown = inspect.signature(BatchHandler.__init__)
        return shown.replace(parameters=list(shown.parameters.values())[1:])  # without ``self``


class _Callable(Referable, Generic[Function, Value]):
    """Base class of a handler and its bound form.

    Attributes:
        __wrapped__: The record function itself, as for any decorator; the same as `function`.
    """

    __slots__ = ()  # or `functools.wraps` over a handler finds a `__dict__` that is not wrapt's

    __wrapped__: Function
    __signature__ = _Signature()

    @property
    def function(self) -> Function:
        """The record function itself, for unit tests."""
        return self.__wrapped__

    @property
    def __code__(self) -> CodeType:
        # `inspect` and asyncio look here whether a call returns a coroutine, which it never does.
        return _lambda_handler.__code__

    def __call__(self, event: Any, context: Any = None, *surplus: Any) -> BatchResponse:
        """Handle a batch.

        Args:
            event: The event that Lambda delivered.
            context: Lambda's context object. Without it, there is no deadline.
            surplus: Nothing. It is there for the error message about a misplaced ``@classmethod``.

        Returns:
            The partial failure response.

        Raises:
            FullBatchFailure: No record succeeded (unless ``raise_on_full_failure=False``).
            EventError: The event isn't a batch, or has no right response. Lambda delivers the whole batch again.
            RuntimeError: The record function or the sink is async, and an event loop is running: await `aprocess`.
        """
        pipeline, function, asked, routes = self._target()
        if surplus:
            raise TypeError(f"a handler takes an event and a context, and got {2 + len(surplus)} arguments")
        return pipeline.handle(function, asked, routes, event, context)

    def process(self, event: Any, context: Any = None) -> BatchResult[Value]:
        """Handle a batch and return the result of each record. A failed record doesn't raise.

        Raises:
            EventError: The event isn't a batch, or has no right response.
        """
        pipeline, function, asked, _ = self._target()
        return pipeline.process(function, asked, event, context)

    async def aprocess(self, event: Any, context: Any = None) -> BatchResult[Value]:
        """Handle a batch inside an event loop; otherwise like `process`."""
        pipeline, function, asked, _ = self._target()
        return await pipeline.aprocess(function, asked, event, context)

    if TYPE_CHECKING:

        def _target(self) -> Target: ...


class BoundBatchHandler(BoundReferable, _Callable[Function, Value], BoundFunctionWrapper):
    """A handler that is bound to an instance or a class. It shares everything with its `BatchHandler`."""

    @property
    def __func__(self) -> Callable[..., Any]:
        # `inspect` looks here first if an object has the class of a bound method.
        return _lambda_method

    def __call__(self, event: Any, context: Any = None, *surplus: Any) -> BatchResponse:
        """Handle a batch. On the class, the instance comes first: ``Orders.handle(orders, event)``."""
        if self._self_instance is None and self._self_binding == "function":
            handle = self._self_parent.__get__(event, type(event))
            response: BatchResponse = handle(context, *surplus)
            return response
        return super().__call__(event, context, *surplus)

    def _target(self) -> Target:
        handler = self._self_parent
        asked = handler._self_plan(bound=self._self_binding != "staticmethod")
        return handler._self_pipeline, self.__wrapped__, asked, {}


class BatchHandler(_Callable[Function, Value], FunctionWrapper):
    """The Lambda handler that `batch_handler` makes from a record function.

    Other decorators and tools see a plain function ``(event, context=None)``, with the record function's name.

    >>> from partialbatch import batch_handler
    >>> from partialbatch.testing import sqs_event
    >>> @batch_handler
    ... def handler(order: dict):
    ...     return order["id"]
    >>> handler(sqs_event([{"id": "A-1"}]), None)
    {'batchItemFailures': []}
    >>> handler.process(sqs_event([{"id": "A-1"}])).results[0].value
    'A-1'
    >>> handler.function({"id": "A-1"})
    'A-1'
    """

    __bound_function_wrapper__ = BoundBatchHandler

    def __init__(self, function: Function, /, **options: Unpack[Options]) -> None:
        """Wrap a record function.

        Raises:
            ConfigurationError: An option, or the function, can't work.
        """
        if isinstance(function, _Callable):
            raise ConfigurationError(
                "batch_handler takes a record function, and got a handler that it made before: "
                "give it the function itself, `handler.function`"
            )
        super().__init__(function, _lambda_handler)
        self._self_settings = resolve(**options)
        self._self_pipeline = Pipeline(self._self_settings)
        self._self_plans: dict[bool, Plan] = {}
        self._self_known: Target | None = None
        # Only for annotations that are strings, and cleared once the function was read: up to Python 3.12, a frame
        # keeps the dict of its variables until it ends.
        frame = sys._getframe(1)
        self._self_namespace: dict[str, Any] = _namespace(frame) if has_names(function) else {}
        if isinstance(function, classmethod) or not _is_in_class_body(function):
            self._self_plan(bound=isinstance(function, classmethod))

    def __set_name__(self, owner: type, name: str) -> None:
        """Check the record function of a method, which is known to be one from now on."""
        self._self_name = name
        self._self_plan(bound=self._self_binding in ("function", "classmethod"))

    def __get__(self, instance: Any, owner: Any = None) -> BoundBatchHandler[Function, Value]:
        """Return the handler for an instance."""
        if isinstance(instance, type) and instance is owner and self._self_binding == "function":
            raise _swap(self)  # @classmethod does this up to Python 3.12
        bound: BoundBatchHandler[Function, Value] = super().__get__(instance, owner)
        return bound

    def _self_plan(self, *, bound: bool) -> Plan:
        """Return the plan for calling the function, made once for each way in which it can be bound."""
        namespace = self._self_namespace  # read first, because another thread may clear it
        if bound not in self._self_plans:
            function: Any = self.__wrapped__
            if not bound and _is_in_class_body(function) and not isinstance(function, staticmethod):
                names = list(inspect.signature(function).parameters)
                if names[:1] in (["cls"], ["self"]):
                    raise _swap(self)
            asked = plan(function, self._self_settings, namespace, bound=bound)
            self._self_pipeline.load_for(asked, function)
            self._self_plans[bound] = asked
            self._self_namespace = {}
        return self._self_plans[bound]

    def __call__(self, event: Any, context: Any = None, *surplus: Any) -> BatchResponse:
        # Each attribute goes through the proxy, which takes a microsecond in all.
        known = self._self_known
        if surplus or known is None:
            return super().__call__(event, context, *surplus)
        pipeline, function, asked, routes = known
        return pipeline.handle(function, asked, routes, event, context)

    def _target(self) -> Target:
        if self._self_known is None:
            self._self_known = (self._self_pipeline, self.__wrapped__, self._self_plan(bound=False), {})
        return self._self_known


def _is_in_class_body(function: Any) -> bool:
    """Tell, by its qualified name, whether a function was defined in the body of a class."""
    scope = function.__qualname__.rpartition(".")[0] if inspect.isfunction(function) else ""
    return bool(scope) and not scope.endswith("<locals>")


def _namespace(frame: FrameType | None) -> dict[str, Any]:
    """Return the local variables at the decorator, and those around a class body."""
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    scopes: list[dict[str, Any]] = []
    while frame is not None and frame.f_locals is not frame.f_globals:
        scopes.insert(0, frame.f_locals)
        frame = frame.f_back if "__qualname__" in frame.f_locals else None
    merged: dict[str, Any] = {}
    for scope in scopes:
        merged |= scope
    return merged


def _swap(handler: Any) -> ConfigurationError:
    return ConfigurationError(
        f"{handler.__qualname__}: @classmethod, or another decorator, stands over @batch_handler; swap them, "
        "so that @batch_handler is outermost"
    )
