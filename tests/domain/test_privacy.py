"""Who is business, who is private, and of whom one cannot say."""

import pytest

from domain.contacts import IdentityGiven
from domain.imports import Person
from domain.privacy import sort_person
from domain.touchpoints import Reference

LINKEDIN = Reference(platform="linkedin", handle="ana", name="Ana Lopez")
CARE = "a practice, a hospital or a school"
DOMAIN = "an address of a company's domain"
ONLY_FREEMAIL = "a private address and no other sign"
PHONE = Reference(phone="+15035550100")


def mail(address: str, name: str = "Ana Lopez") -> Reference:
    return Reference(email=address, name=name)


@pytest.mark.parametrize(
    ("person", "sort", "reason"),
    [
        (Person(mail("ana@acme.example")), "business", DOMAIN),
        (Person(mail("Ana@GMAIL.com"), organisation="Acme"), "business", "the file names a company"),
        (Person(Reference(name="Ana"), organisation="Acme"), "business", "the file names a company"),
        (Person(LINKEDIN), "business", "known on LinkedIn"),
        (Person(LINKEDIN, organisation="County Hospital"), "business", "known on LinkedIn"),
        (Person(mail("ana@gmail.com"), also=(IdentityGiven("linkedin", "ana"),)), "business", "known on LinkedIn"),
        (Person(PHONE, also=(IdentityGiven("email", "a@acme.example"),)), "business", DOMAIN),
        (Person(mail("kim@bakery.example", "Kim Huber")), "business", "an address of your own domain"),
        (Person(mail("ana@gmail.com", "Ana Hüber")), "private", "a private address and your own family name"),
        (Person(mail("ana@yahoo.co.uk", "Huber, Ana")), "private", "a private address and your own family name"),
        (Person(mail("ana@acme.example", "Ana Huber")), "business", DOMAIN),
        (Person(mail("ana@acme.example"), signs=("category:Family",)), "private", "in the category Family"),
        (Person(LINKEDIN, signs=("category:Freunde",)), "private", "in the category Freunde"),
        (Person(mail("ana@acme.example"), signs=("calendar:private",)), "private", "their calendar entry is private"),
        (Person(mail("info@smile.example"), organisation="Smile Dental Clinic"), "private", CARE),
        (Person(mail("a@b.example"), organisation="Praxis Dr. Weiß"), "private", CARE),
        (Person(mail("a@b.example"), organisation="École du Parc"), "private", CARE),
        (Person(mail("a@b.example"), organisation="Kitaro Records"), "business", "the file names a company"),
        (Person(mail("ana@gmail.com")), "unsure", ONLY_FREEMAIL),
        (Person(mail("huber@gmail.com", "Huber")), "unsure", ONLY_FREEMAIL),
        (Person(mail("ana@gmx.at"), signs=("category:Customers",)), "unsure", ONLY_FREEMAIL),
        (Person(Reference(name="Ana Huber")), "unsure", "no sign of business"),
        (Person(PHONE), "unsure", "no sign of business"),
        (Person(Reference(email="broken")), "unsure", "no sign of business"),
    ],
)  # fmt: skip
def test_a_person_is_sorted_with_a_reason(person: Person, sort: str, reason: str):
    names, domains = {"Maria Huber", "Kim"}, {"bakery.example"}
    assert sort_person(person, own_names=names, own_domains=domains) == (sort, reason)


def test_nobody_is_private_by_the_name_of_nobody():
    person = Person(Reference(email="ana@gmail.com"))
    assert sort_person(person, own_names={"", "Kim"}, own_domains=set())[0] == "unsure"
