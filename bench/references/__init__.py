"""Servers to compare Porthole with: the floor, and the usual ways to do this."""
