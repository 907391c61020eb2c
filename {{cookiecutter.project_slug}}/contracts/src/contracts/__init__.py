"""The published language: a module for each process, of what is in `base`."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from contracts.base import Message


def messages() -> Iterator[type[Message]]:
    """Every event and command of every process: the classes that no other one is made of."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        import_module(module.name)
    return _leaves(Message)


def _leaves(base: type[Message]) -> Iterator[type[Message]]:
    for message in base.__subclasses__():
        # A test may make more of them.
        if message.__module__.startswith(f"{__name__}."):
            within = [*_leaves(message)]
            # Where there is no process yet, the bases have nothing within either.
            is_base = message.__module__ == Message.__module__
            yield from within or ([] if is_base else [message])
