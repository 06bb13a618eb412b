"""Names for classes: each family of components finds its members by scanning."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

from nncli.core.description import Description
from nncli.core.errors import NncliError
from nncli.core.signature import signature_of
from nncli.core.text import advice, show


class Registry:
    """The members of one family by name.

    Args:
        family: The family's name in messages, for example ``layer``.
        package: The package whose modules hold the members.
    """

    def __init__(self, family: str, package: str) -> None:
        self.family = family
        self.package = package
        self._classes: dict[str, type[Any]] = {}
        self._scanned = False

    def add(self, name: str, cls: type[Any]) -> None:
        """Enter a class; called by ``class Relu(Layer, name="relu")``.

        Raises:
            NncliError: Another class already has the name.
        """
        known = self._classes.get(name)
        if known is not None and _origin(known) != _origin(cls):
            raise NncliError(
                f"{_origin(cls)}: the {self.family} name {name!r} is already taken by "
                f"{_origin(known)}. Choose another name."
            )
        self._classes[name] = cls

    def scan(self) -> dict[str, type[Any]]:
        """Import every module of the package once and return all members."""
        if not self._scanned:
            package = importlib.import_module(self.package)
            for module in sorted(pkgutil.iter_modules(package.__path__)):
                importlib.import_module(f"{self.package}.{module.name}")
            self._scanned = True
        return self._classes

    def names(self) -> list[str]:
        """Return the names of all members in alphabetical order."""
        return sorted(self.scan())

    def find(self, name: str) -> type[Any] | None:
        """Return the member called ``name``, or None."""
        return self.scan().get(name)

    def unknown(self, name: str) -> str:
        """Say that ``name`` is no member, and which one was probably meant."""
        return f"unknown {self.family} {show(name)}. {advice(name, self.names())}"

    @contextmanager
    def temporary(self) -> Iterator[None]:
        """Forget, at the end, the members that were added inside the block."""
        before = dict(self.scan())
        try:
            yield
        finally:
            self._classes.clear()
            self._classes.update(before)


FAMILIES: dict[str, type[Component]] = {}
"""Every family's base class by family name, filled as the families are imported."""


def _origin(cls: type) -> str:
    module = inspect.getmodule(cls)
    file = getattr(module, "__file__", None) or cls.__module__
    return f"{file}:{cls.__qualname__}"


class Component(Description):
    """Something that YAML can name.

    A family's base class is declared with ``family=``, a member with ``name=``::

        class Layer(Component, family="layer"): ...
        class Relu(Layer, name="relu"): ...

    Class attributes:
        quiet: Arguments that all members of a family have, and that are only written
            where they are not the default.
    """

    registry: ClassVar[Registry]
    type_name: ClassVar[str] = ""
    quiet: ClassVar[tuple[str, ...]] = ()

    @property
    def spoken(self) -> dict[str, Any]:
        """The arguments, without quiet ones that are the default."""
        defaults = signature_of(type(self)).defaults()
        return {
            name: value
            for name, value in self.arguments.items()
            if name not in self.quiet or value != defaults[name]
        }

    def __init_subclass__(
        cls, *, family: str = "", name: str = "", **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if family:
            package = cls.__module__.rpartition(".")[0]
            cls.kind = family
            cls.registry = Registry(family, package)
            FAMILIES[family] = cls
        if name:
            cls.type_name = name
            cls.registry.add(name, cls)

    @classmethod
    def members(cls) -> dict[str, type[Self]]:
        """Return all members of the family by name, in alphabetical order."""
        classes: dict[str, Any] = cls.registry.scan()
        return {name: classes[name] for name in sorted(classes)}


def spec_of(value: Any) -> Any:
    """Write a component (or section) back as plain values, as YAML would say it.

    The inverse of reading: ``relu`` stays a bare name, everything else becomes
    ``{type: ..., argument: ...}`` with every default filled in.
    """
    if isinstance(value, Component):
        arguments = {key: spec_of(part) for key, part in value.spoken.items()}
        return {"type": value.type_name, **arguments} if arguments else value.type_name
    if isinstance(value, Description):
        return {key: spec_of(part) for key, part in value.arguments.items()}
    if isinstance(value, list | tuple):
        return [spec_of(part) for part in value]
    if isinstance(value, dict):
        return {key: spec_of(part) for key, part in value.items()}
    return value


def namespace(
    family: str, package: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a family's package.

    Its members are attributes of the package (``nn.layers.Dense``), found by scanning
    when they are first asked for.

    Args:
        family: The family's name.
        package: The package.
    """

    def members() -> dict[str, type]:
        importlib.import_module(f"{package}.base")
        found = FAMILIES[family].members().values()
        return {cls.__name__: cls for cls in found}

    def get(name: str) -> Any:
        if name[:1].isupper() and name in (known := members()):
            return known[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted(members())
