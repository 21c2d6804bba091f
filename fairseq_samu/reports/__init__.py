"""Results as plots and pages: standard library only, one file each, readable without a network."""
