"""Every exception and warning of the package.

An error that a user can cause says what is wrong, where, what was found, what is accepted, and what to do, and carries
each of these as a field, so that a command line can print one message and a program can react to the parts.
"""

from __future__ import annotations


class PrimaseError(Exception):
    """The root of all errors that primase raises on purpose."""


class InputError(PrimaseError):
    """Something that the user gave is wrong; the command line exits with status 2.

    Parameters
    ----------
    what
        What is wrong, as a short clause.
    where
        The file, line, record, column or option.
    got
        What was found there.
    wanted
        What is accepted there.
    advice
        What to do about it, as a sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        got: str | None = None,
        wanted: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.got = got
        self.wanted = wanted
        self.advice = advice
        super().__init__(self._message())

    def _message(self) -> str:
        message = f"{self.where}: {self.what}" if self.where else self.what
        message = message.rstrip(".") + "."
        if self.got is not None:
            message += f" Found: {self.got.rstrip('.')}."
        if self.wanted is not None:
            message += f" Accepted: {self.wanted.rstrip('.')}."
        if self.advice is not None:
            message += f" {self.advice}"
        return message


class ReadError(InputError):
    """A file cannot be read as what it should be."""


class ConfigurationError(InputError):
    """An option or a configuration file asks for something that does not exist or does not fit."""


class SourceError(InputError):
    """A registered data set cannot be fetched, or is not what its checksum says."""


class BundleError(InputError):
    """A saved model is incomplete, altered, or of a schema that this version cannot read."""


class Interrupted(BaseException):
    """The user or the system asked to stop; raised from the signal handler.

    It is no ``Exception``, so that code which catches errors lets it pass, and no ``KeyboardInterrupt``, which
    Lightning turns into ``SystemExit(1)``.

    Parameters
    ----------
    signal_number
        ``signal.SIGINT`` or ``signal.SIGTERM``; the command line exits with 128 plus this number.
    """

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(f"interrupted by signal {signal_number}")


class PrimaseWarning(UserWarning):
    """Something is odd, and work goes on."""
