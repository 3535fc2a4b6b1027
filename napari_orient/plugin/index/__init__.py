"""The Index dock: settings of template matching, the pattern under the cursor, and the run."""
