"""What is on the screen of a toolkit: texts of widgets, and where these are."""
