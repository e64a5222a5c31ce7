"""The core: from an event to a partial failure response. Nothing here is public."""
