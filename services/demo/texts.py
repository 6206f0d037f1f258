"""Short invented texts. What an import labels (thanks, an offer, a question) is there to be found in them."""

import random

from msgspec import Struct

from domain.touchpoints import Act

OPENINGS = ("Hi {to},", "Hello {to},", "Good morning {to},", "Dear {to},", "{to},")
SMALL_TALK = (
    "it was good to see you the other day.",
    "I hope the week treats you kindly.",
    "what a week this was over here.",
    "the rain has not stopped since Monday.",
    "I was thinking of what you said last time.",
    "half of {town} seems to be on holiday.",
    "we were just talking about you.",
    "I passed your door this morning.",
)
BY_ACT: dict[Act, tuple[str, ...]] = {
    "give": (
        "I read an article about your field and kept it for you.",
        "Your talk was the best of the evening, I told everybody so.",
        "I could lend you a hand with that on the {day}th.",
        "I know somebody who does exactly this, shall I introduce you?",
    ),
    "ask": (
        "Could you tell me what you think of {thing}?",
        "Would the {day}th suit you?",
        "Do you know anybody who needs {thing}?",
        "May I ask you for a word of advice about {thing}?",
    ),
    "promote": (
        "This week {thing} is 20 % off, only until the {day}th: https://{domain}/offers",
        "Our new price list is out, with {thing} from 49 dollars: https://{domain}/prices",
        "Book now and save, there are a few places left: https://{domain}/book",
    ),
    "thank": (
        "Thank you so much for your help with {thing}.",
        "Many thanks for thinking of us.",
        "Thanks again, that was very kind of you.",
    ),
    "neutral": (
        "{thing} will be ready on the {day}th.",
        "I will bring {thing} along next time.",
        "Let us talk about {thing} when you have a moment.",
        "The {day}th is fine with me.",
        "The papers for {thing} came in today.",
        "I have put the {day}th in my calendar.",
    ),
}
CLOSINGS = ("See you soon,", "All the best,", "Until then,", "Take care,", "Warmly,")


class Setting(Struct, frozen=True):
    """Between whom it is said: `domain` and `things` are the writer's own."""

    to: str
    by: str
    domain: str
    town: str
    things: tuple[str, ...]


def letter(chance: random.Random, act: Act, setting: Setting) -> str:
    """A few lines of a mail."""
    lines = [_sentence(chance, one, setting) for one in (OPENINGS, SMALL_TALK, BY_ACT[act], CLOSINGS)]
    return "\n".join([*lines, setting.by, ""])


def line(chance: random.Random, act: Act, setting: Setting) -> str:
    """A message of one or two sentences."""
    return " ".join(_sentence(chance, one, setting) for one in (OPENINGS, SMALL_TALK, BY_ACT[act]))


def _sentence(chance: random.Random, patterns: tuple[str, ...], setting: Setting) -> str:
    thing, day = chance.choice(setting.things), chance.randint(4, 20)
    text = chance.choice(patterns).format(to=setting.to, domain=setting.domain, town=setting.town, thing=thing, day=day)
    return text[0].upper() + text[1:]
