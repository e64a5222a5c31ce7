"""Hooks that come with the package: metrics, error reports, traces. Give them as ``hooks=``."""

from partialbatch.hooks.emf import EmfMetrics
from partialbatch.hooks.opentelemetry import OpenTelemetryHook
from partialbatch.hooks.sentry import SentryHook

__all__ = ["EmfMetrics", "OpenTelemetryHook", "SentryHook"]
