"""What a user can mend."""


class InputError(ValueError):
    """Bad input or configuration; the message says where, the value found, what was expected, what to do."""


class NothingMatched(InputError):
    """No file or row matched what was asked for."""


class Interrupted(Exception):
    """The user asked a run to end."""


class RunFailed(Exception):
    """A run cannot go on, and its input is not to blame; the message says what happened and how to continue."""
