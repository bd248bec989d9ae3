"""What is wrong with a value that cannot be read."""


class UnreadableValueError(ValueError):
    """The value is not of the type, or not spelled as was agreed. The message says why, and never quotes the value.

    It goes on after the name of what holds the value: “is no number”.
    """
