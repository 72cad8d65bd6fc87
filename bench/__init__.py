"""Measuring Porthole from outside: real connections, real bytes."""
