"""Add up takings in tumbling windows of a minute: the function takes the window's state and returns the new one."""

from partialbatch import batch_handler


def publish(totals: dict):
    """Take the final state of a window."""
    print(f"takings of the window: {totals}")


@batch_handler(window_end=publish)
def handler(sale: dict, state: dict):
    """Add one sale. The state begins as an empty dict and may take 1 MB as JSON."""
    shop, amount = sale["shop"], sale["amount"]
    return {**state, shop: state.get(shop, 0) + amount}
