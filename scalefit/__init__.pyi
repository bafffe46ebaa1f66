from . import errors as errors
__version__: str
