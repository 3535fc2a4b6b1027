"""From a 4D-STEM scan or an EBSD map to crystal orientations, in one napari window.

The public names below are imported when they are first used, so that ``import napari_orient`` and
the command line start at once.
"""

import lazy_loader

__version__ = "0.1.0.dev0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
