"""Measures Porthole from outside, with real connections and real bytes."""
