"""Processes of each declared saga in each style, on the real system: what each style costs."""
