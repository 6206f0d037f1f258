"""Names for made-up people. Each surname is given to one person only, so nobody is mistaken for somebody else."""

import random
import re
from unicodedata import normalize

GIVEN = tuple(
    """
    Ada Adele Agnes Aisha Alan Alba Aldo Alice Amina Anders Andrea Anita Anton Ariel Arjun Astrid Aurora Basil
    Beatriz Bela Ben Bianca Björn Bruno Camila Carl Carmen Cecilia Chiara Chidi Clara Colin Cora Dalia Damian
    Daniela David Delia Diego Dora Edith Eduardo Elena Elias Ella Emeka Emil Emma Enzo Erik Esther Eva Farah
    Fatima Felix Fergus Fiona Flora Frank Freya Gabriel George Gita Grace Greta Gustav Hana Harriet Hector Helen
    Henri Hugo Ida Ilse Imani Ines Ingrid Iris Isaac Ivan Ivy Jacob Jade Jamal Jana Jasper Joan Jorge Joseph
    Julia June Kai Karin Kofi Lara Laszlo Laura Leila Leo Lena Liam Linda Lisa Lola Louis Lucas Lucy Luis Lydia
    Mabel Magda Malik Marco Maria Marta Martin Maya Mei Mercy Mikael Mina Miriam Mona Musa Nadia Naomi Nils Nina
    Noah Nora Olga Oliver Omar Oskar Otto Pablo Pam Paolo Paula Pedro Peter Petra Philip Priya Quinn Rafael
    Ralph Rania Raul Ravi Renata Rita Robert Rosa Rosalind Ruben Ruth Sam Samira Sandra Sasha Selma Simon Sofia
    Stella Sunil Susan Tamar Tara Theo Thea Thomas Tilda Tobias Uma Ursula Vera Victor Viola Walter Wanda Wen
    Willa Xenia Yara Yusuf Zara Zelda Zeno Zoë
    """.split()
)
SURNAMES = tuple(
    """
    Abara Abbott Achterberg Adebayo Ahlgren Ainsworth Albrecht Alvarado Amsel Andrade Antoniou Ardent Arnesen
    Ashby Auerbach Babić Bachmann Bahr Balogun Banerjee Barlow Barreto Bauer Beaumont Beck Bellamy Benítez
    Berger Bianchi Birch Blum Bonnet Bostock Bramble Brandt Brennan Brook Burgos Byrne Cabral Calloway Cardoso
    Carver Castellan Chaudry Chandler Cheever Clement Cobb Colombo Conti Cooper Crane Cruz Dahl Dalton Danso
    Darby Demir Desmond Devlin Diallo Dietrich Dimitrov Dobbs Donovan Dorsey Drummond Duarte Dunn Eastman Ebert
    Echeverría Edlund Egan Eklund Ellery Engel Eriksen Espinoza Fairchild Falk Farrow Faulkner Ferreira Fischer
    Fleming Fontana Forsberg Frost Fuentes Gallo Garrick Gaspard Gauthier Gentry Gillis Goddard Goh Granger
    Greaves Grimaldi Gupta Haddad Hagen Halloran Hamada Harding Hartwell Hasegawa Haugen Heller Herrera Hobbs
    Holm Horvath Hughes Ibarra Iglesias Ikeda Ingram Iversen Jacoby Jarvis Jensen Joshi Juarez Kaplan Karlsson
    Kaur Keane Keller Kendall Kimura Kirby Klein Kovač Krause Lachance Lambert Larkin Lassiter Laurent Lerner
    Lindgren Lockwood Lombardi Lund Mabry Mackey Madsen Maguire Malone Marchetti Marlow Marsh Medina Mehta
    Mendoza Merrick Mercado Meyer Mills Molina Moretti Morrow Moss Mwangi Nagy Nair Navarro Nielsen Nolan
    Norwood Novak Obi Ochoa Odell Okafor Oliveira Olsen Ortega Osborne Ostrowski Padilla Palmer Paredes Park
    Parrish Pereira Perkins Petrov Pham Pierce Pinto Platt Popescu Prescott Quigley Quiroga Radcliffe Ramsey
    Rasmussen Redfern Reinhardt Rhodes Ricci Rivas Rojas Romano Rossi Rowan Russo Salazar Sandoval Santos Sauer
    Schreiber Seidel Serrano Shah Shaw Silva Sinclair Singh Slater Sokolov Solberg Stark Steele Strand Sutton
    Sykes Tanaka Tate Teague Thorne Tran Underhill Ulrich Valdez Vance Varga Vasquez Vaughn Vega Vogel Wagner
    Walsh Webb Weiss Whitaker Wilder Winslow Wolff Wren Yamada Yardley Yilmaz York Zamora Zeller Ziegler Zimmer
    """.split()
)


class Names:
    """Hands out names, each surname once."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._surnames = list(SURNAMES)
        chance.shuffle(self._surnames)

    def next(self, *, surname: str | None = None) -> tuple[str, str]:
        """Given name and surname; with `surname`, a relative's."""
        return self._chance.choice(GIVEN), surname or self._surnames.pop()


def plain(text: str) -> str:
    """As it is written in addresses: `Zoë Benítez` becomes `zoe-benitez`."""
    ascii_only = normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
