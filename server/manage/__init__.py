"""Cameras that are added, changed and removed while the server runs."""
