"""Diffraction: virtual detectors, simulation, calibration and template matching."""

from napari_orient.compiled import forget_stale_code

forget_stale_code()  # before the first compiled function is loaded
