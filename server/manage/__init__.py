"""Cameras and people that are added, changed and removed while the server runs."""
