"""Zapier, Make, n8n, or a script of one's own: the body is a touchpoint in the API's own form, or a list of them.

A `source_id` in it makes it safe to send twice; `source` is the source's own whatever it says.
"""

from domain.adapters.outcomes import Commands, Message, Outcome, touchpoints


def read(message: Message) -> Outcome:
    return Commands(touchpoints(message.payload))
