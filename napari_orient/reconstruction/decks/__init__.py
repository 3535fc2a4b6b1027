"""How does a volume reach a solver? DAMASK, DREAM.3D, Abaqus, VTK: written, read back, compared."""
