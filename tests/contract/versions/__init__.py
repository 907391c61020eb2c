"""Other versions of daprd than the pinned one, each a Go module in a folder of its name."""
