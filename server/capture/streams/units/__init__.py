"""Access units: a camera's encoded pictures as viewers get them, taken from it or made here."""
