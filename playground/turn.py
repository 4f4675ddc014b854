"""Whose drawing is still wanted."""


class Turn:
    """Which drawing of a visitor's is the latest; an older one stops."""

    def __init__(self):
        self.number = 0

    def take(self) -> int:
        """Be the latest."""
        self.number += 1
        return self.number
