"""Texts of the widgets of each toolkit, and their places on the screen."""
