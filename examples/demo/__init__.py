"""The demo, `python -m examples.demo`: search the Python standard library by meaning."""
