"""The one exception that means: the person can mend this, show them the line and leave with exit code 2."""


class InputError(ValueError):
    """Something the person gave is wrong; the message names the value, what was expected and the remedy."""
