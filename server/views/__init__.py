"""Saved views: what the page shows, stored under a name for one person or for everybody."""
