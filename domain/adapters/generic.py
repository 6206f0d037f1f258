"""Any JSON, by the source's own mapping: a JMESPath expression that makes one touchpoint of the payload, or a list.

Nulls are dropped; null as a whole, or an empty list, is nothing. What says no `occurred_at` happened when it came in.
"""

from domain import mappings
from domain.adapters.outcomes import Commands, Message, Nothing, Outcome, Unmapped, touchpoints


def read(message: Message) -> Outcome:
    if message.mapping is None:
        return Unmapped("this source has no mapping yet")
    found = mappings.run(message.mapping, message.payload)
    if found in (None, [], {}):
        return Nothing("the mapping makes nothing of it")
    at = message.received_at.isoformat()
    if isinstance(found, list):
        found = [{"occurred_at": at} | item if isinstance(item, dict) else item for item in found if item is not None]
    elif isinstance(found, dict):
        found = {"occurred_at": at} | found
    return Commands(touchpoints(found))
