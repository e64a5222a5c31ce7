"""Work out which arguments the record function takes, and call it."""
