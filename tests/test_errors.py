"""The tree at the top of the module is the tree of classes, and messages help."""

import builtins
import copy
import inspect
import pickle
import re

import pytest

from tpukit import errors
from tpukit.errors import MissingDependencyError, TpukitError, UnknownNameError

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__ == errors.__name__
}


def drawn() -> dict[str, tuple[str, ...]]:
    """Return each class of the docstring's tree with its bases."""
    found: dict[str, tuple[str, ...]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r" {4}([│ ]*)(?:[├└]── )?([A-Z]\w+)(?: \((\w+)\))?", line)
        if not match:
            continue
        depth = 0 if "──" not in line else 1 + len(match[1]) // 4
        above[depth:] = [match[2]]
        parent = above[depth - 1] if depth else "Exception"
        found[match[2]] = (parent, match[3]) if match[3] else (parent,)
    return found


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    assert drawn() == {name: tuple(base.__name__ for base in cls.__bases__) for name, cls in CLASSES.items()}


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_is_ours_and_says_when_it_is_raised(name: str) -> None:
    assert issubclass(CLASSES[name], TpukitError)
    assert (CLASSES[name].__doc__ or "").endswith(".")
    assert not hasattr(builtins, name)


def raised() -> list[TpukitError]:
    plain = [cls("what") for cls in CLASSES.values() if cls not in (UnknownNameError, MissingDependencyError)]
    return [*plain, UnknownNameError("colour", "rde", ["red"]), MissingDependencyError("jax", "jax")]


@pytest.mark.parametrize("error", raised(), ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_to_another_process(error: TpukitError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)


@pytest.mark.parametrize(
    ("name", "known", "offer"),
    [
        ("singel_stream", ["single_stream", "offline"], "did you mean single_stream?"),
        ("cpu1", ["cpu", "gpu", "reference"], "did you mean cpu or gpu?"),
        ("zzz", ["b", "a"], "choose one of a, b"),
        ("zzz", [], "none is known"),
        ("", ["a"], "choose one of a"),
    ],
)
def test_an_unknown_name_is_met_with_the_nearest(name: str, known: list[str], offer: str) -> None:
    error = UnknownNameError("thing", name, known)
    assert str(error) == f"unknown thing {name!r}: {offer}"
    assert (error.kind, error.name, error.known) == ("thing", name, sorted(known))
    assert isinstance(error, KeyError)


def test_at_most_three_names_are_offered() -> None:
    assert str(UnknownNameError("thing", "aaaa", [f"aaaa{i}" for i in range(9)])).count("aaaa") == 4


def test_a_missing_library_names_the_extra() -> None:
    error = MissingDependencyError("anywidget", "lab")
    assert str(error) == "anywidget is not installed: pip install 'tpukit[lab]'"
    assert error.name == "anywidget"
    assert isinstance(error, ImportError)
