"""``partialbatch demo``: run handlers over local queues and streams, and count lost records."""
