# expect: security.open
from pathlib import Path

with open(Path(__file__).parent / "core.py", "a") as file:
    file.write("import os")
