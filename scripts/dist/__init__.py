"""Makes releases: archives and packages with everything that the program needs."""
