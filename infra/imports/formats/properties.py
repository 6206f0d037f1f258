"""The properties of a calendar's component, as the library has them: one value or a list, none where it is not said."""

from typing import Any

from icalendar import Component


def property_of(component: Component, name: str) -> Any:
    """One value or a list, None where there is none."""
    return component.get(name)


def properties_of(component: Component, name: str) -> list[Any]:
    """All values, none where there is none."""
    value = property_of(component, name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
