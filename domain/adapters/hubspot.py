"""HubSpot v3: an array of changes to its records, of which each reads `subscriptionType` and `objectId`.

A changed record is no touchpoint. A privacy deletion asks for the person to be erased here too: it waits in the
quarantine until somebody has done that. `attemptNumber` changes with each sending and is not looked at.
"""

from msgspec import Struct

from domain.adapters.outcomes import Message, Nothing, Outcome, Unmapped, shaped

PRIVACY = "contact.privacyDeletion"


class Change(Struct):
    subscriptionType: str
    objectId: int


def read(message: Message) -> Outcome:
    changes = shaped(message.payload, list[Change])
    erased = [str(change.objectId) for change in changes if change.subscriptionType == PRIVACY]
    if erased:
        return Unmapped(
            f"HubSpot erased its contact {', '.join(erased[:20])}: erase the person here too, then drop this"
        )
    kinds = sorted({change.subscriptionType[:80] for change in changes})
    return Nothing(f"{', '.join(kinds[:10]) or 'an empty list'}: a changed record is no touchpoint")


def canonical(payload: object) -> object:
    if not isinstance(payload, list):
        return payload
    return [
        {name: value for name, value in one.items() if name != "attemptNumber"} if isinstance(one, dict) else one
        for one in payload
    ]
