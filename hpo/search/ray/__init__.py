"""Ray Tune backend: runs the trials that the controller proposes."""
