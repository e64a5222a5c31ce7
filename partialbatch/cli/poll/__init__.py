"""``partialbatch poll``: a local event source mapping, or a worker outside Lambda."""
