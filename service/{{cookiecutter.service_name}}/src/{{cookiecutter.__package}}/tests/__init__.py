"""Not in an image: see .dockerignore."""
