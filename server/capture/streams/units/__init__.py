"""Access units: encoded pictures as viewers get them, passed through or encoded here."""
