"""The four services in one process, under every fault that the chassis can simulate."""
