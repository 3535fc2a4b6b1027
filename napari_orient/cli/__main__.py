"""How is the command line started as ``python -m napari_orient.cli``? Here."""

import sys

from napari_orient.cli import main

if __name__ == "__main__":
    sys.exit(main())
