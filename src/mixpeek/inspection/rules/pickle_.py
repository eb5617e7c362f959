"""Against formats that run code while they are read."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.resolution import argument
from mixpeek.inspection.rules.base import Rule, Spot

_MODULES = ("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "jsonpickle", "pickle5")
_LOADERS = ("load", "loads", "Unpickler", "_Unpickler", "_loads", "_load", "decode")
# Loaders of YAML that make nothing but values.
_SAFE_YAML = frozenset({"yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader", "yaml.CBaseLoader"})


def _check(module: Module) -> Iterator[Spot]:
    for call in module.reading.calls:
        for name in call.functions:
            if name == "torch.load" and not _is_constant(argument(call.node, 3, "weights_only"), True):
                yield call.node, "`torch.load` without `weights_only=True` runs code while it reads"
            elif name == "numpy.load" and not _is_absent_or(argument(call.node, 2, "allow_pickle"), False):
                yield call.node, "`numpy.load` with `allow_pickle` runs code while it reads"
            elif name in ("yaml.load", "yaml.load_all"):
                loader = argument(call.node, 1, "Loader")
                if loader is None or module.reading.name_of(loader, call.scope) not in _SAFE_YAML:
                    yield call.node, f"`{name}` without a safe loader runs code while it reads"


def _is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _is_absent_or(node: ast.expr | None, value: object) -> bool:
    return node is None or _is_constant(node, value)


RULE = Rule(
    "security.pickle",
    Severity.WARNING,
    "`pickle`, `marshal`, `shelve`, `dill`, `joblib.load`, `torch.load` and unsafe YAML run code while they read",
    "Keep data as JSON, npz or safetensors; pass `weights_only=True` to `torch.load`; use `yaml.safe_load`",
    offending=(
        "import pickle\npickle.loads(data)",
        "from joblib import load\nload('model.joblib')",
        "import torch\ntorch.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
    ),
    harmless=(
        "import pickle\npickle.dumps(model)",
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path)\nnp.load(path, allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import json\njson.loads(text)",
    ),
    things=frozenset(
        {
            *(f"{module}.{name}" for module in _MODULES for name in _LOADERS),
            *("shelve", "joblib.load", "pandas.read_pickle", "pandas.io.pickle", "numpy.core.multiarray._reconstruct"),
            *("yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all", "torch.jit.unpickle"),
            *("sklearn.externals.joblib.load", "torch.package.PackageImporter", "torch.hub.load", "copyreg"),
        }
    ),
    reason="runs code while it reads",
    check=_check,
)
