"""Mailchimp: forms, not JSON, and unsigned; its address answers a GET, as Mailchimp asks when it is saved.

Reads `type`, `fired_at` (in UTC), `data[id]`, `data[email]`, `data[merges][FNAME]`, `data[merges][LNAME]` and
`data[status]`. A subscription is a follow of the newsletter, a campaign that was sent is a post of ours; who
unsubscribes did nothing together with us, so that is nothing.
"""

from datetime import UTC, datetime

from msgspec import Struct, field

from domain.adapters.outcomes import Commands, Message, Nothing, Outcome, by_email, named, shaped, strict
from domain.errors import Invalid
from domain.touchpoints import RecordTouchpoint

CHANNEL = "newsletter"


class Form(Struct):
    type: str
    fired_at: str
    email: str | None = field(name="data[email]", default=None)
    first_name: str | None = field(name="data[merges][FNAME]", default=None)
    last_name: str | None = field(name="data[merges][LNAME]", default=None)
    status: str | None = field(name="data[status]", default=None)


def read(message: Message) -> Outcome:
    form = shaped(message.payload, Form)
    match form.type:
        case "subscribe":
            return _subscribed(form)
        case "campaign" if form.status == "sent":
            post = RecordTouchpoint(kind="post", occurred_at=_at(form), channel=CHANNEL, direction="out")
            return Commands((strict(post),))
        case other:
            return Nothing(f"{other[:80]}: nothing between us and anybody")


def _subscribed(form: Form) -> Outcome:
    if form.email is None:
        raise Invalid("this field is required", field="data[email]")
    follow = RecordTouchpoint(
        kind="follow",
        occurred_at=_at(form),
        channel=CHANNEL,
        direction="in",
        people=(by_email(form.email, named(form.first_name, form.last_name)),),
    )
    return Commands((strict(follow),))


def _at(form: Form) -> datetime:
    try:
        return datetime.strptime(form.fired_at, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid("this is no time such as 2026-05-06 08:15:00", field="fired_at") from None
