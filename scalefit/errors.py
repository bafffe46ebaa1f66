"""Everything scalefit raises or warns about.

::

    ScalefitError
    ├── TableError (ValueError)            the results table breaks a rule; names row and column
    │   └── MissingColumnError (KeyError)  a needed column is absent
    ├── ArgumentError (TypeError)          a public function was given another kind of thing than it needs
    ├── FormatError (ValueError)           a file is not what its reader needs; names file and line
    ├── LawError (ValueError)              a law is unknown, or defined wrongly
    ├── FitError (ValueError)              the data cannot identify the law, or break its domain
    ├── DomainError (ValueError)           a value was asked for where the law has none
    ├── DesignError (ValueError)           the seeds or cells cannot support the question
    ├── ScoringError (ValueError)          hypotheses, references or sources do not fit together
    ├── LandscapeError (ValueError)        checkpoints cannot be compared
    ├── ExecutorError (RuntimeError)       workers died, or cannot do what they are given
    ├── UnknownNameError (KeyError)        a collection of results holds nothing of this name
    ├── NoPictureError (TypeError)         there is no picture of this kind of result
    └── MissingDependencyError (ImportError)  an optional extra is not installed

    ScalefitWarning (UserWarning)

Each message says what was found, what was needed, and what to try.
"""

from __future__ import annotations


class ScalefitError(Exception):
    """Root of all errors that scalefit raises on purpose.

    Examples
    --------
    >>> import scalefit as sf
    >>> try:
    ...     sf.fit({"pretrain_tokens": [1e6, 4e6], "bleu": [5.0, 9.1]}, "bleu", "no_such_law")
    ... except sf.ScalefitError as error:
    ...     print(type(error).__name__)
    LawError
    """


class TableError(ScalefitError, ValueError):
    """The results table breaks a rule."""


class MissingColumnError(TableError, KeyError):
    """A needed column is absent."""

    __str__ = Exception.__str__


class ArgumentError(ScalefitError, TypeError):
    """A public function was given another kind of thing than it needs."""


class FormatError(ScalefitError, ValueError):
    """A file is not what its reader needs."""


class LawError(ScalefitError, ValueError):
    """A law is unknown, or defined wrongly."""


class FitError(ScalefitError, ValueError):
    """The data cannot identify the law, or break its domain."""


class DomainError(ScalefitError, ValueError):
    """A value was asked for where the law has none."""


class DesignError(ScalefitError, ValueError):
    """The seeds or cells cannot support the question."""


class ScoringError(ScalefitError, ValueError):
    """Hypotheses, references or sources do not fit together."""


class LandscapeError(ScalefitError, ValueError):
    """Checkpoints cannot be compared."""


class ExecutorError(ScalefitError, RuntimeError):
    """Workers died, or cannot do what they are given."""


class UnknownNameError(ScalefitError, KeyError):
    """A collection of results holds nothing of this name."""

    __str__ = Exception.__str__


class NoPictureError(ScalefitError, TypeError):
    """There is no picture of this kind of result."""


class MissingDependencyError(ScalefitError, ImportError):
    """An optional extra is not installed."""


class ScalefitWarning(UserWarning):
    """Root of all warnings that scalefit gives."""
