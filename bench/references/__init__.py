"""Servers that Porthole is measured beside: the floor, and the ways this is usually done."""
