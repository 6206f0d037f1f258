"""What a text does and whom it is about, by plain words and signs; the label is kept, the text is not.

Languages: English, German, French, Spanish. A rule looks for words, it does not understand: a label can be corrected.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from domain.letters import without_accents
from domain.touchpoints import About, Act

READ = 20_000  # characters of a text that are looked at


class Label(Struct, frozen=True):
    act: Act
    about: About


def _any(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)")


# All of them are looked for in lower case and without accents.
_PRICE = re.compile(r"[$€£]\s?\d|\d\s?[$€£]|(?<!\w)\d+(?:[.,]\d+)?\s?(?:eur|usd|gbp|chf|euro|euros|dollars?)(?!\w)")
_DISCOUNT = re.compile(r"\d\s?%\s?(?:off|discount|rabatt|gunstiger|de descuento|de remise|de reduction)")
_OFFER = _any(
    "discount", "special offer", "limited offer", "on sale", "sale ends", "buy now", "order now", "book now", "sign up",
    "promo code", "coupon", "free trial", "our new (?:product|service|offer|course|menu)", "now available",
    "check out our", "visit our (?:site|website|shop|store)", "shop now", "subscribe",
    "rabatt", "angebot", "sonderangebot", "jetzt (?:kaufen|bestellen|buchen|anmelden)", "gutschein", "aktionspreis",
    "unser neues? (?:produkt|angebot|kurs)", "ab sofort erhaltlich",
    "promotion", "remise", "soldes", "code promo", "offre speciale", "commandez", "achetez", "reservez",
    "inscrivez-vous", "essai gratuit",
    "descuento", "oferta", "rebajas", "promocion", "cupon", "compra ahora", "reserva ya", "prueba gratis",
)  # fmt: skip
_THANKS = _any(
    "thanks", "thank you", "thx", "many thanks", "grateful", "i appreciate", "much appreciated", "really appreciate",
    "danke", "vielen dank", "herzlichen dank", "dankeschon", "besten dank", "merci", "je vous remercie",
    "je te remercie", "gracias", "agradezco", "agradecido", "agradecida",
)  # fmt: skip
_REQUEST = _any(
    "could you", "can you", "would you", "will you", "do you know (?:any|some|a|who)\\w*", "may i ask", "can i ask",
    "i need", "we need", "please send", "please share", "please let me know", "looking for", "any chance",
    "would you mind", "introduce me", "let me know if you know", "can we", "could we",
    "konnten sie", "konntest du", "konnt ihr", "kannst du", "konnen sie", "wurden sie", "wurdest du", "hatten sie zeit",
    "hast du zeit", "ich suche", "wir suchen", "ich brauche", "kennen sie", "kennst du", "bitte (?:senden|schicken)",
    "pourriez-vous", "pouvez-vous", "pourrais-tu", "peux-tu", "auriez-vous", "je cherche", "nous cherchons",
    "j'ai besoin", "connaissez-vous", "connais-tu",
    "podrias", "podria", "puedes", "puede usted", "podeis", "podrian", "necesito", "necesitamos", "estoy buscando",
    "buscamos", "conoces a", "conoce a", "me ayudas", "me puedes",
)  # fmt: skip
_SOMETHING_FOR_US = _any(
    "could you", "can you", "would you", "please send", "please share", "introduce me", "let me know if you know",
    "i need", "we need", "ich suche", "wir suchen", "ich brauche", "bitte (?:senden|schicken)", "je cherche",
    "nous cherchons", "j'ai besoin", "necesito", "necesitamos", "estoy buscando", "buscamos", "looking for",
)  # fmt: skip
_GIVING = _any(
    "congratulations", "congrats", "well done", "great (?:job|work|talk|post|article|news|idea|event|to see)",
    "love your", "loved your", "i enjoyed your", "impressive", "inspiring", "proud of you",
    "happy to help", "glad to help",
    "happy to introduce", "i can introduce", "let me introduce", "here is the contact", "i recommend(?:ed you)?",
    "happy birthday", "good luck", "get well", "you might like", "thought of you", "this may help", "if i can help",
    "herzlichen gluckwunsch", "gluckwunsch", "gratuliere", "gut gemacht", "tolle arbeit", "toller (?:vortrag|beitrag)",
    "super arbeit", "ich helfe gerne?", "gerne helfe ich", "alles gute", "viel erfolg", "ich empfehle",
    "felicitations", "bravo", "beau travail", "bon anniversaire", "bonne chance", "je peux vous aider",
    "je vous recommande", "belle presentation",
    "felicidades", "enhorabuena", "felicitaciones", "buen trabajo", "gran trabajo", "feliz cumpleanos", "mucha suerte",
    "te recomiendo", "puedo ayudarte", "te puedo ayudar",
)  # fmt: skip
_OURS = _any(
    "we", "our", "ours", "us", "my", "mine", "wir", "uns", "unser\\w{0,2}", "mein\\w{0,2}", "nous", "notre", "nos",
    "mon", "ma", "mes", "nosotros", "nosotras", "nuestr[oa]s?", "mi", "mis",
)  # fmt: skip
_THEIRS = _any(
    "you", "your", "yours", "du", "dich", "dir", "dein\\w{0,2}", "euch", "euer", "eure\\w?", "ihnen", "vous", "votre",
    "vos", "tu", "ton", "ta", "tes", "toi", "tus", "ti", "te", "usted", "ustedes", "vosotros", "vuestr[oa]s?",
)  # fmt: skip
_POLITE = re.compile(r"(?<![.!?\n] )(?<!^)(?<!\w)(?:Sie|Ihr(?:e[nmrs]?)?)(?!\w)")  # in German a capital makes it *you*


def label(text: str, *, reply: bool = False, own_sites: Iterable[str] = ()) -> Label:
    """The label of a text. `reply`: it answers somebody. `own_sites`: hosts of the writer's own sites.

    The act, by the first rule that holds: a link to a page of an own site (its bare address stands in signatures), a
    price, a discount or an offer is `promote`; asking for something is `ask`; thanks are `thank`; praise, help offered,
    good wishes or a reply are `give`; else `neutral`.
    About `us` when more is said of we and our (or it promotes), `them` when of you and your, else `other`.
    """
    read = text[:READ]
    plain = _plain(read)
    act = _act(plain, reply=reply, own_sites=own_sites)
    return Label(act, _about(read, plain, act))


def _plain(text: str) -> str:
    return without_accents(text.casefold().replace("\u2019", "'"))


def _act(plain: str, *, reply: bool, own_sites: Iterable[str]) -> Act:
    if any(_page_of(site).search(plain) for site in own_sites):
        return "promote"
    if _PRICE.search(plain) or _DISCOUNT.search(plain) or _OFFER.search(plain):
        return "promote"
    if _asks(plain):
        return "ask"
    if _THANKS.search(plain):
        return "thank"
    return "give" if reply or _GIVING.search(plain) else "neutral"


def _page_of(site: str) -> re.Pattern[str]:
    return re.compile(rf"(?:https?://(?:[\w-]+\.)*|www\.){re.escape(site.casefold())}(?::\d+)?/[^\s/]")


def _asks(plain: str) -> bool:
    """A question that asks for something; a plain request needs no question mark."""
    return bool(_SOMETHING_FOR_US.search(plain)) or ("?" in plain and bool(_REQUEST.search(plain)))


def _about(text: str, plain: str, act: Act) -> About:
    if act == "promote":
        return "us"
    ours, theirs = len(_OURS.findall(plain)), len(_THEIRS.findall(plain)) + len(_POLITE.findall(text))
    if ours == theirs == 0:
        return "them" if act in ("give", "thank") else "other"
    return "us" if ours > theirs else "them"
