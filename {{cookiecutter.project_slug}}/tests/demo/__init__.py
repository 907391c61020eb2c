"""The same orders in each style, on the real system: what each style costs, and that it adds up."""
