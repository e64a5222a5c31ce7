"""``partialbatch invoke``: run a handler on saved events."""
