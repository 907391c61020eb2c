"""Orders: takes them, follows them, and hosts the workflows that fulfil them."""
