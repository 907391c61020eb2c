"""Orders for the running system: what is bought, why it fails, and whether it adds up."""
