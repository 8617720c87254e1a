"""The HTTP service of `avtca serve`: recognition, jobs, a live socket and a page."""
