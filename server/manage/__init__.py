"""Adds, changes and removes cameras and people while the server runs."""
