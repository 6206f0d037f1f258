"""Refusals. The text a person reads stands in the docstring or is given with the field it is about."""

from collections.abc import Iterator
from contextlib import contextmanager


class Refused(Exception):
    """a rule forbids it"""

    def __init__(self, reason: str | None = None, *, field: str | None = None) -> None:
        self.reason = reason or (type(self).__doc__ or "").strip()
        self.field = field
        super().__init__(self.reason)


class Invalid(Refused):
    """this is not what the field takes"""


class NotFound(Refused):
    """there is nothing of that id"""


class Conflict(Refused):
    """the same id was used before, with other content"""


class Suspended(Refused):
    """this business is suspended: ask those who run this installation. Nothing is lost"""


class Stale(Refused):
    """somebody changed it after you read it: read it again"""


class Busy(Refused):
    """there is more to do than can be done just now: send the same again in a moment"""


class NotUnderstood(Refused):
    """the log holds an event here that this version of Rapport cannot read: send the same again after its upgrade"""


class Erased(Refused):
    """this person was erased"""


@contextmanager
def field_below(at: str) -> Iterator[None]:
    """A refusal inside names its field as seen from the whole item."""
    try:
        yield
    except Invalid as error:
        raise Invalid(error.reason, field=f"{at}.{error.field}") from None
