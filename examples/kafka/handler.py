"""Count clicks from Amazon MSK. The handler is a method: what the class holds lives as long as the environment."""

import json
from collections import Counter

from partialbatch import KafkaRecord, batch_handler


class Clicks:
    """Counts of clicks by page."""

    def __init__(self):
        self.pages = Counter()

    @batch_handler
    def count(self, record: KafkaRecord):
        """Count one click; a record view decodes nothing before it is asked to."""
        page = json.loads(record.text)["page"]
        self.pages[page] += 1
        print(f"{record.topic}-{record.partition}@{record.offset}: {page}")


handler = Clicks().count
