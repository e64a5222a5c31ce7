"""``partialbatch demo``: real handlers over local queues and streams, with every record counted."""
