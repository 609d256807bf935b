"""A registry: names to things, with entry points of other packages and a helpful error."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from tpukit.errors import ConfigError, UnknownNameError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Named things of one kind; an installed package adds its own by the entry point `tpukit.<plural>`.

    >>> colours = Registry[int]("colour", entry_point="tpukit.colours")
    >>> colours.add("red", 0xFF0000)
    16711680
    >>> colours["rde"]
    Traceback (most recent call last):
    tpukit.errors.UnknownNameError: unknown colour 'rde': did you mean red?

    Looking up an entry point's name loads it; raises ConfigError where that fails.
    """

    def __init__(self, kind: str, *, entry_point: str) -> None:
        self._kind, self._group = kind, entry_point
        self._own: dict[str, T] = {}

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self._group)}

    def add(self, name: str, thing: T) -> T:
        """Put `thing` under `name`; raises ConfigError where the name is taken."""
        if name in self._own:
            raise ConfigError(f"{self._kind} {name!r} is registered already: choose another name")
        self._own[name] = thing
        return thing

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that puts what it decorates under `name`."""
        return lambda thing: self.add(name, thing)

    def __getitem__(self, name: str) -> T:
        if name not in self._own and name in self._plugins:
            self._own[name] = self._loaded(self._plugins[name])
        try:
            return self._own[name]
        except KeyError:
            raise UnknownNameError(self._kind, name, self) from None

    def _loaded(self, point: EntryPoint) -> T:
        try:
            return cast("T", point.load())
        except Exception as error:  # foreign code raises what it likes; a missing driver is often a RuntimeError
            why = " ".join(str(error).split()) or type(error).__name__
            raise ConfigError(
                f"{self._kind} {point.name!r} of another package cannot be loaded from {point.value}: {why}"
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._own, *self._plugins}))

    def __len__(self) -> int:
        return len({*self._own, *self._plugins})
