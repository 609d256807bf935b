"""A registry holds names, finds plug-ins late, and helps where a name is wrong."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tpukit import registry
from tpukit.errors import ConfigError, UnknownNameError
from tpukit.registry import Registry

GROUP = "tpukit.colours"


@pytest.fixture
def colours() -> Registry[object]:
    return Registry("colour", entry_point=GROUP)


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes entry points look installed."""

    def install(**values: str) -> None:
        def entry_points(*, group: str) -> list[EntryPoint]:
            assert group == GROUP
            return [EntryPoint(name=name, value=value, group=group) for name, value in values.items()]

        monkeypatch.setattr(registry, "entry_points", entry_points)

    return install


def test_what_is_added_is_found_and_counted(colours: Registry[object]) -> None:
    thing = object()
    assert colours.add("red", thing) is thing
    assert colours["red"] is thing
    assert (len(colours), list(colours), "red" in colours, "blue" in colours) == (1, ["red"], True, False)
    assert colours.get("blue") is None


def test_names_come_sorted(colours: Registry[object]) -> None:
    for name in ("red", "blue", "green"):
        colours.add(name, name)
    assert list(colours.items()) == [("blue", "blue"), ("green", "green"), ("red", "red")]


def test_the_decorator_returns_what_it_decorates(colours: Registry[object]) -> None:
    @colours.register("red")
    def red() -> int:
        return 0xFF0000

    assert colours["red"] is red
    assert red() == 0xFF0000


def test_a_name_is_taken_once(colours: Registry[object]) -> None:
    colours.add("red", 1)
    with pytest.raises(ConfigError, match=r"^colour 'red' is registered already: choose another name$"):
        colours.add("red", 2)
    assert colours["red"] == 1


def test_an_unknown_name_offers_near_ones_or_all(colours: Registry[object]) -> None:
    colours.add("red", 1)
    colours.add("green", 2)
    with pytest.raises(UnknownNameError, match=r"^unknown colour 'grn': did you mean green\?$") as caught:
        colours["grn"]
    assert caught.value.known == ["green", "red"]
    with pytest.raises(UnknownNameError, match=r"^unknown colour 'xyz': choose one of green, red$"):
        colours["xyz"]


def test_a_plug_in_is_listed_without_being_loaded(colours: Registry[object], plug: Callable[..., None]) -> None:
    plug(tau="no_such_module:tau")
    colours.add("red", 1)
    assert (list(colours), len(colours)) == (["red", "tau"], 2)


def test_a_plug_in_is_loaded_when_it_is_asked_for(colours: Registry[object], plug: Callable[..., None]) -> None:
    plug(tau="math:tau")
    assert colours["tau"] == pytest.approx(6.283185307)
    assert "tau" in colours


def test_a_name_of_our_own_wins_over_a_plug_in(colours: Registry[object], plug: Callable[..., None]) -> None:
    plug(red="math:tau")
    colours.add("red", 1)
    assert colours["red"] == 1
    assert len(colours) == 1


def test_entry_points_are_looked_up_once(colours: Registry[object], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def entry_points(*, group: str) -> list[EntryPoint]:
        calls.append(group)
        return []

    monkeypatch.setattr(registry, "entry_points", entry_points)
    assert (len(colours), len(colours), list(colours)) == (0, 0, [])
    assert calls == [GROUP]


@pytest.mark.parametrize("value", ["no_such_module:tau", "math:no_such_name"])
def test_a_broken_plug_in_is_named_with_its_place(
    colours: Registry[object], plug: Callable[..., None], value: str
) -> None:
    plug(tau=value)
    expected = f"^colour 'tau' of another package cannot be loaded from {value}: .*no_such"
    with pytest.raises(ConfigError, match=expected):
        colours["tau"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("raise RuntimeError('driver absent,\\nsays the vendor')", "driver absent, says the vendor"),
        ("raise ZeroDivisionError", "ZeroDivisionError"),
        ("import", r".*\(foreign_colours.py, line 1\)"),
    ],
)
def test_a_plug_in_may_fail_as_it_likes(
    line: str,
    why: str,
    colours: Registry[object],
    plug: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "foreign_colours.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    plug(tau="foreign_colours:tau")
    expected = f"^colour 'tau' of another package cannot be loaded from foreign_colours:tau: {why}"
    with pytest.raises(ConfigError, match=expected) as caught:
        colours["tau"]
    assert "\n" not in str(caught.value)
