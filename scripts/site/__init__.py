"""What the documentation site needs beside its pages: a hook of mkdocs, and the diagrams."""
