"""Imports: the files people bring, read row by row and recorded through the one road."""
