"""Hooks for metrics, error reports and traces. Pass them as ``hooks=`` to ``batch_handler``."""

from partialbatch.hooks.emf import EmfMetrics
from partialbatch.hooks.opentelemetry import OpenTelemetryHook
from partialbatch.hooks.sentry import SentryHook

__all__ = ["EmfMetrics", "OpenTelemetryHook", "SentryHook"]
