"""LinkedIn's Connections.csv in the forms it was seen in."""

from datetime import UTC, datetime

import pytest

from domain.contacts import IdentityGiven
from domain.imports import ContactRow, Rejected, Skipped, TouchpointRow
from domain.touchpoints import Reference
from tests.infra.imports.formats.files import only, recorded, rows

HEADER = "First Name,Last Name,URL,Email Address,Company,Position,Connected On\n"
OLD = "First Name,Last Name,Email Address,Company,Position,Connected On\n"
QUOTED_NOTE = 'Notes:\n"When exporting your data, you may notice, that\nsome ""addresses"" are missing."\n\n'
PLAIN_NOTE = "Notes:\nThis is an export, made by LinkedIn.\nAll of it is yours.\n\n"
ANA = "Ana,Lopez,https://www.linkedin.com/in/ana,,Acme Inc.,Owner,15 Jan 2024\n"
NAME = "linkedin_connections"


@pytest.mark.parametrize("preamble", ["", QUOTED_NOTE, PLAIN_NOTE, 'Notes:\n"An open quote\n\n', "\n"])
def test_the_header_is_found_whatever_stands_before_it(preamble: str):
    [row] = rows(preamble + HEADER + ANA, named=NAME)
    assert isinstance(row.outcome, TouchpointRow)
    assert row.line == preamble.count("\n") + 2


def test_a_connection_is_a_touchpoint_at_noon_of_that_day():
    made = only(
        HEADER + "Ana,Lopez,https://www.linkedin.com/in/Ana,ana@example.com,Acme Inc.,Owner,15 Jan 2024\n", named=NAME
    )
    record, [person] = made.record, made.people
    assert (record.kind, record.channel, record.direction) == ("connect", "linkedin", "mutual")
    assert record.occurred_at == datetime(2024, 1, 15, 20, tzinfo=UTC)
    assert (record.source, record.source_id) == (NAME, "linkedin:ana")
    reference = Reference(platform="linkedin", handle="https://www.linkedin.com/in/Ana", name="Ana Lopez")
    assert record.people == (reference,)
    assert person.reference == reference
    assert person.also == (IdentityGiven("email", "ana@example.com"),)
    assert (person.organisation, person.role) == ("Acme Inc.", "Owner")


def test_columns_may_stand_in_another_order():
    header = "First Name,Last Name,Email Address,Company,Position,Connected On,URL\n"
    made = only(header + "Ana,Lopez,,Acme,Owner,15 Jan 2024,https://linkedin.com/in/ana\n", named=NAME)
    assert made.record.source_id == "linkedin:ana"


def test_an_old_file_without_addresses_names_people_by_mail_or_name():
    lines = "Ana,Lopez,ana@example.com,Acme,Owner,15 Jan 2024\nBob,Berg,,Initech,Clerk,16 Jan 2024\n"
    ana, bob = recorded(rows(OLD + lines, named=NAME))
    assert ana.record.people == (Reference(email="ana@example.com", name="Ana Lopez"),)
    assert bob.record.people == (Reference(name="Bob Berg", hint="Initech"),)


@pytest.mark.parametrize(
    ("header", "date"),
    [
        ("Vorname,Nachname,URL,E-Mail-Adresse,Unternehmen,Position,Vernetzt am", "15. Jan. 2024"),
        ("Prénom,Nom,URL,Adresse e-mail,Entreprise,Poste,Connecté le", "15 janv. 2024"),
        ("Nombre,Apellidos,URL,Dirección de correo electrónico,Empresa,Cargo,Conectado el", "15 ene 2024"),
        ("Nome,Cognome,URL,Indirizzo e-mail,Azienda,Posizione,Collegato il", "15 gen 2024"),
        ("Nome,Sobrenome,URL,Endereço de e-mail,Empresa,Cargo,Conectado em", "15 de jan 2024"),
        ("Voornaam,Achternaam,URL,E-mailadres,Bedrijf,Functie,Verbonden op", "15 januari 2024"),
        ("FIRST NAME;LAST NAME;URL;EMAIL ADDRESS;COMPANY;POSITION;CONNECTED ON", "2024-01-15"),
    ],
)
def test_headers_and_months_in_seven_languages(header: str, date: str):
    line = ANA.replace("15 Jan 2024", date)
    made = only(f"{header}\n{line.replace(',', ';') if ';' in header else line}", named=NAME)
    assert made.record.occurred_at.date().isoformat() == "2024-01-15"
    assert made.people[0].organisation == "Acme Inc."


def test_without_a_date_somebody_is_known_and_nothing_happened():
    outcome = only(HEADER + "Ana,Lopez,https://www.linkedin.com/in/ana,,Acme,Owner,\n", named=NAME)
    assert isinstance(outcome, ContactRow)
    assert (outcome.source, outcome.source_id) == (NAME, "linkedin:ana")
    assert outcome.person.organisation == "Acme"


def test_a_member_who_hides_is_skipped():
    assert only(f"{HEADER},,,,,,07 Jun 2026\n", named=NAME) == Skipped("a member who shows no name")


def test_the_same_person_twice_is_one():
    first, second = rows(HEADER + ANA + ANA.replace("linkedin.com/in/ana", "linkedin.com/in/ANA/"), named=NAME)
    assert isinstance(first.outcome, TouchpointRow)
    assert second.outcome == Skipped("this person stands in this file already")


def test_names_have_one_spelling():
    made = only(HEADER + "  JosÃ© ,\u00a0GARCÍA  Ruiz ,https://www.linkedin.com/in/jose,,,,15 Jan 2024\n", named=NAME)
    assert made.record.people[0].name == "José GARCÍA Ruiz"


def test_an_address_that_is_none_is_a_sign_where_the_profile_names_the_person():
    made = only(HEADER + "Ana,Lopez,https://www.linkedin.com/in/ana,hidden,Acme,,15 Jan 2024\n", named=NAME)
    assert (made.people[0].also, made.people[0].signs) == ((), ("email:unreadable",))


@pytest.mark.parametrize(
    ("line", "column", "field"),
    [
        ("Ana,Lopez,https://www.linkedin.com/in/ana,,Acme,Owner,one day", 7, "occurred_at"),
        ("Ana,Lopez,https://www.linkedin.com/in/ana,,Acme,Owner,03/04/2024", 7, "occurred_at"),
        ("Ana,Lopez,https://www.linkedin.com/in/ana,,Acme,Owner,15 Jan 2044", 7, "occurred_at"),
        ("Ana,Lopez,in ana,,Acme,Owner,15 Jan 2024", 3, "with[0].handle"),
        ("Ana,Lopez,,hidden,Acme,Owner,15 Jan 2024", 4, "with[0].email"),
        ("Ana,Lopez,,hidden,Acme,Owner,", 4, "with[0].email"),
        (f"Ana,{'Lopez' * 50},,,Acme,Owner,15 Jan 2024", 2, "with[0].name"),
        ("Ana,Lopez,https://www.linkedin.com/in/ana", 3, None),
    ],
)
def test_what_is_not_understood_says_where(line: str, column: int, field: str | None):
    outcome = only(f"{HEADER}{line}\n", named=NAME)
    assert isinstance(outcome, Rejected), outcome
    assert (outcome.column, outcome.field) == (column, field)
