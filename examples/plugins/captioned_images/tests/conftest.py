"""Makes this plugin importable as `plugin`, whatever its folder is called and wherever pytest starts."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if "plugin" not in sys.modules:
    # mixpeek: allow[security.loaders] tests start in this folder, from where Python finds no package of its name
    spec = importlib.util.spec_from_file_location(
        "plugin", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)  # mixpeek: allow[security.loaders] as above
    sys.modules["plugin"] = module  # mixpeek: allow[security.monkeypatch] a name that nothing else has
    spec.loader.exec_module(module)
