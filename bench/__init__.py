"""Measures Porthole from outside, over real connections."""
