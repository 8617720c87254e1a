"""Figures and HTML pages of reports; nothing is computed here."""
