"""Transfer scaling laws: fit, forecast, and flag misaligned pretraining data.

The public names are listed in ``__init__.pyi`` and load on first use, so importing the
package brings in neither matplotlib nor lmfit nor torch.
"""

from functools import partial
from importlib import import_module
from typing import Any

import lazy_loader

from .arguments import explained
from .result import Loaders
from .version import __version__ as __version__

_loaded, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    globals()[name] = explained(_loaded(name))
    return globals()[name]


# The one place that names higher floors by a string, so that ``.plot()`` works and importing stays light.
Loaders.views = partial(import_module, "scalefit.views")
Loaders.store = partial(import_module, "scalefit.store")
Loaders.lmfit = partial(import_module, "scalefit.fitting.lmfit_bridge")
