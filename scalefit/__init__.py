"""Transfer scaling laws: fit, forecast, and flag misaligned pretraining data.

The public names are listed in ``__init__.pyi`` and load on first use, so importing the
package brings in neither matplotlib nor lmfit nor torch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
