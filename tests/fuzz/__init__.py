"""Fuzzing of everything that reads bytes from an author or a host: targets, and the two engines that drive them."""
