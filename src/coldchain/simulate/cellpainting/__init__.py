"""Cell Painting microscopes that are played: the plate, its TIFFs, and a module for each maker."""
