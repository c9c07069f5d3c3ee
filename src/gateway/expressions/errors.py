"""What is wrong with an expression."""

from gateway.errors import UsageError


class ExpressionError(UsageError):
    """An expression that does not compile: one problem, with its place in the text."""

    def __init__(self, message: str, offset: int = 0, length: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        """In characters, from 0; the text's length where something is missing at its end."""
        self.length = length
        """In characters; 0 at the end of the text."""
