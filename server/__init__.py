"""Porthole: cameras in a browser, live, under full control."""

__version__ = "0.1.0"
