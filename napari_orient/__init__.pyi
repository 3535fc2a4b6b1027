from .crystal.colors import ipf_colors as ipf_colors
from .crystal.colors import ipf_image as ipf_image
from .crystal.phases import get_phase as get_phase
from .data.formats import open_scan as open_scan
from .data.hdf5 import save_scan as save_scan
from .data.maps import OrientationMap as OrientationMap
from .data.maps import load_map as load_map
from .data.maps import save_map as save_map
from .data.scan import Calibration as Calibration
from .data.scan import Quantity as Quantity
from .data.scan import Scan as Scan
from .data.vendors import open_map as open_map
from .diffraction.detectors import Annulus as Annulus
from .diffraction.detectors import Disk as Disk
from .diffraction.detectors import Rectangle as Rectangle
from .diffraction.detectors import VirtualDetector as VirtualDetector
from .diffraction.detectors import bright_field as bright_field
from .diffraction.detectors import dark_field as dark_field
from .diffraction.virtual import virtual_image as virtual_image
from .files import UnreadableFile as UnreadableFile
from .jobs import Partial as Partial
from .jobs import Progress as Progress
from .jobs import run as run
from .session import Session as Session

__version__: str
