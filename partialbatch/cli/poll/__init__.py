"""``partialbatch poll``: poll a queue or a stream, as a local event source mapping or as a worker outside Lambda."""
