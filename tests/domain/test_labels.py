"""Sentences and what they do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.labels import label


@pytest.mark.parametrize(
    ("text", "act", "about"),
    [
        ("Our new menu is here: 20% off until Sunday!", "promote", "us"),
        ("The course costs $250, seats are few.", "promote", "us"),
        ("Check out our website", "promote", "us"),
        ("Nur diese Woche: 15 % Rabatt auf alles", "promote", "us"),
        ("Jetzt bestellen für 12,50 €!", "promote", "us"),
        ("Code promo pour les soldes", "promote", "us"),
        ("Un 10% de descuento para ti", "promote", "us"),
        ("Thanks for coming, 5 % off your next order", "promote", "us"),
        ("Could you introduce me to the printer?", "ask", "them"),
        ("I need a plumber by Friday", "ask", "other"),
        ("Do you know anyone who bakes?", "ask", "them"),
        ("Könnten Sie mir die Adresse geben?", "ask", "them"),
        ("Ich suche einen guten Drucker", "ask", "other"),
        ("Pourriez-vous m'aider ?", "ask", "them"),
        ("¿Podrías enviarme la dirección?", "ask", "other"),
        ("Thank you so much for the flowers", "thank", "them"),
        ("Vielen Dank für Ihre Hilfe", "thank", "them"),
        ("Merci pour votre aide", "thank", "them"),
        ("¡Muchas gracias por todo!", "thank", "them"),
        ("Congratulations on the new role!", "give", "them"),
        ("Great talk on ovens, you made my day", "give", "them"),
        ("Happy to help if you need hands", "give", "them"),
        ("Herzlichen Glückwunsch zum Jubiläum", "give", "them"),
        ("Félicitations pour le prix", "give", "them"),
        ("Enhorabuena por la tienda", "give", "them"),
        ("The market opens at nine.", "neutral", "other"),
        ("We moved our ovens to the new street.", "neutral", "us"),
        ("Wir haben unser Lager verlegt.", "neutral", "us"),
        ("Your window looks good today", "neutral", "them"),
        ("Ist das Ihr Laden?", "neutral", "them"),
        ("", "neutral", "other"),
        ("=cmd|' /C calc'!A0", "neutral", "other"),
    ],
)
def test_a_sentence_and_its_label(text: str, act: str, about: str):
    found = label(text)
    assert (found.act, found.about) == (act, about)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("Look at https://www.bakery.example/cakes", "promote"),
        ("Look at www.Bakery.example/cakes", "promote"),
        ("Look at https://shop.bakery.example:8080/cakes", "promote"),
        ("Kim\nThe Bakery\nkim@bakery.example\nhttps://bakery.example/", "neutral"),
        ("Kim\nThe Bakery\nwww.bakery.example", "neutral"),
        ("Look at https://printer.example/bakery.example/x", "neutral"),
        ("Look at https://notbakery.example/cakes", "neutral"),
    ],
)
def test_a_link_to_a_page_of_ones_own_promotes_and_a_signature_does_not(text: str, act: str):
    assert label(text, own_sites=["bakery.example"]).act == act


def test_a_reply_gives():
    assert label("Yes, at nine.", reply=True).act == "give"


@given(st.text(max_size=300), st.booleans())
def test_every_text_has_a_label_and_always_the_same(text: str, reply: bool):
    assert label(text, reply=reply) == label(text, reply=reply)
