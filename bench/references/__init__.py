"""Servers to compare Porthole with: the cheapest possible one, and the usual recipes."""
