"""Against importing code from files of any name or place."""

from __future__ import annotations

from mixpeek.inspection.rules.base import forbid

RULE = forbid(
    "security.loaders",
    (
        "importlib.util.spec_from_file_location",
        "importlib.util.spec_from_loader",
        "importlib.util.module_from_spec",
        "importlib.util.LazyLoader",
        "importlib.machinery.SourceFileLoader",
        "importlib.machinery.SourcelessFileLoader",
        "importlib.machinery.ExtensionFileLoader",
        "importlib.machinery.FileFinder",
        "importlib.machinery.PathFinder",
        "importlib.machinery.BuiltinImporter",
        "importlib.machinery.FrozenImporter",
        "importlib.abc",
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "importlib.reload",
        "imp",
        "_imp",
        "zipimport",
        "site.addsitedir",
        "site.addpackage",
        "site.addsitepackages",
        "site.addusersitepackages",
        "site.main",
        "pkgutil.extend_path",
        "pkgutil.get_loader",
        "pkgutil.find_loader",
        "pkgutil.ImpImporter",
        "sys.meta_path",
        "sys.path_hooks",
        "sys.path_importer_cache",
        "modulefinder",
    ),
    summary="`importlib` loaders, `zipimport`, `sys.meta_path` and others import code from anywhere",
    reason="imports code from anywhere, which cannot be checked",
    hint="Import by name; keep code in the plugin's own .py files",
    offending=(
        "from importlib.util import spec_from_file_location",
        "import importlib.machinery as m\nm.SourceFileLoader('x', 'x.txt').load_module()",
        "import sys\nsys.meta_path.insert(0, finder)",
        "import zipimport",
    ),
    harmless=(
        "import importlib.metadata\nimportlib.metadata.version('numpy')",
        "import importlib.resources\nimportlib.resources.files('numpy')",
        "import importlib.util\nimportlib.util.find_spec('torch')",
        "loader.load(path)",
    ),
)
