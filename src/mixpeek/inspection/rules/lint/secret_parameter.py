"""`secret.parameter`: a secret is to be given as a parameter of the extractor."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mixpeek.inspection.findings import Severity
from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import last_name
from mixpeek.inspection.rules.base import Rule, Spot

SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|api_secret|client_secret|secret_key|password|passwd|private_key|access_key"
    r"|(?:hf|github|auth|access|bearer|api|slack|refresh)_token)$"
)
_PARAMETERS = frozenset({"params", "parameters"})


def _check(module: Module) -> Iterator[Spot]:
    # Most files have no word of parameters, and need not be walked through.
    if b"aram" not in module.source:
        return
    schemas = {
        node.value.id
        for node in module.tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and any(isinstance(target, ast.Name) and target.id == "parameter_schema" for target in node.targets)
    }
    for node in module.nodes:
        if isinstance(node, ast.ClassDef):
            is_model = any(last_name(base) == "BaseModel" for base in node.bases)
            if node.name in schemas or (is_model and node.name.endswith(("Params", "Parameters"))):
                for part in node.body:
                    name = (
                        part.target.id if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) else ""
                    )
                    if SECRET_NAME.search(name):
                        yield part, f"The parameter `{name}` is a secret"
            continue
        name = _taken(node)
        if name and SECRET_NAME.search(name):
            yield node, f"The secret `{name}` is taken from the parameters"


def _taken(node: ast.AST) -> str:
    """Return the parameter that `params.x`, `parameters["x"]` or `parameters.get("x")` takes, "" for anything else."""
    if isinstance(node, ast.Attribute) and last_name(node.value) in _PARAMETERS:
        return node.attr
    if isinstance(node, ast.Subscript) and last_name(node.value) in _PARAMETERS:
        key: ast.expr | None = node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        key = node.args[0] if node.args and last_name(node.func.value) in _PARAMETERS else None
    else:
        return ""
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


RULE = Rule(
    name="secret.parameter",
    severity=Severity.WARNING,
    summary="Parameters are kept as they are and shown to everybody who may see the collection",
    hint='Keep it with `mixpeek secret create NAME`, and read it with `await container.secrets.get("NAME")`',
    why="A collection's parameters are part of its description, of every export of it and of the audit log.",
    offending=(
        """from pydantic import BaseModel

class EmbedParams(BaseModel):
    model: str = "small"
    api_key: str
""",
        """def build_steps(extractor_request, container=None, **kwargs):
    parameters = extractor_request.extractor_config.parameters or {}
    return {"steps": [make_step(parameters["openai_api_key"])]}
""",
    ),
    harmless=(
        """from pydantic import BaseModel

class EmbedParams(BaseModel):
    model: str = "small"
    max_tokens: int = 512
    api_key_name: str = "OPENAI_KEY"
""",
        """async def read(container):
    return await container.secrets.get("OPENAI_KEY")
""",
    ),
    check=_check,
)
