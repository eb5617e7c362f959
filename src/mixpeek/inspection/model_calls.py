"""Which calls ask a model, a tokenizer or a service, and which load a model; told by full names and by wording."""

from __future__ import annotations

import ast
import re
from typing import Final

from mixpeek.inspection.modules import Module
from mixpeek.inspection.row_code import last_name

_MODEL: Final = re.compile(r"model|encoder|embedder|transformer|classifier|detector|predictor|pipe(?:line)?$|bert|clip")
_METHODS: Final = frozenset(
    {"encode", "predict", "predict_proba", "embed", "embed_query", "encode_text", "encode_image", "transcribe",
     "get_text_features", "get_image_features", "generate", "infer", "forward"}
)  # fmt: skip
_NOT_MODELS: Final = re.compile(r"json|label|url|base64|codec|jpeg|png|html|password|token|model_(?:name|id|dump|copy)")
_VERBS: Final = ("get", "post", "put", "patch", "request", "head")
_HTTP_FUNCTIONS: Final = frozenset(
    {f"{module}.{verb}" for module in ("requests", "httpx") for verb in _VERBS}
    | {"urllib.request.urlopen", "urllib.request.urlretrieve"}
)  # fmt: skip
_HTTP_VERBS: Final = frozenset({"get", "post", "put", "patch", "request", "send"})
_HTTP_CLIENT: Final = re.compile(r"^_?(?:http_?)?(?:client|session)$|_(?:client|session)$|^_?http$")
_SERVICE_CALLS: Final = ("completions.create", "embeddings.create", "messages.create", "responses.create")

# Functions that read weights, and the ends of methods that do.
_LOADERS: Final = frozenset(
    {"sentence_transformers.SentenceTransformer", "sentence_transformers.CrossEncoder", "transformers.pipeline",
     "onnxruntime.InferenceSession", "torch.load", "torch.jit.load", "torch.hub.load", "whisper.load_model",
     "faster_whisper.WhisperModel", "spacy.load", "joblib.load", "fasttext.load_model", "open_clip.create_model",
     "open_clip.create_model_and_transforms", "clip.load", "ultralytics.YOLO", "keras.models.load_model",
     "tensorflow.keras.models.load_model", "timm.create_model", "easyocr.Reader", "gensim.models.KeyedVectors.load",
     "fastembed.TextEmbedding", "fastembed.ImageEmbedding", "lightgbm.Booster", "llama_cpp.Llama",
     "engine.models.load_hf_model", "engine.models.load_namespace_model", "engine.models.loader.load_hf_model",
     "engine.models.loader.load_namespace_model", "shared.models.loader.load_namespace_model",
     "safetensors.torch.load_file", "safetensors.numpy.load_file", "tokenizers.Tokenizer.from_file"}
)  # fmt: skip
_LOADING_METHODS: Final = frozenset({"from_pretrained"})


def is_model_call(node: ast.Call) -> bool:
    """Tell whether the call looks like one of a model, as in `self._model.encode(texts)` or `classifier(image)`."""
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in _METHODS:
        owner = last_name(function.value).lower()
        return bool(_MODEL.search(owner)) and not _NOT_MODELS.search(owner)
    if isinstance(function, ast.Attribute | ast.Name):
        name = last_name(function)
        # `Model(...)` makes one; a name in small letters is asked.
        return name == name.lower() and _called_itself(name)
    return False


def _called_itself(name: str) -> bool:
    words = name.strip("_").split("_")
    return words[-1] in ("model", "encoder", "classifier", "embedder", "detector", "pipe", "predictor") and (
        words[0] not in ("load", "get", "make", "create", "build", "init", "to", "from", "new", "ensure", "warm", "the")
    )


def is_tokenizing(node: ast.Call) -> bool:
    """Tell whether the call asks a tokenizer that could take many texts at once."""
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in ("encode", "encode_plus", "tokenize", "__call__"):
        return "tokenizer" in last_name(function.value).lower()
    if isinstance(function, ast.Attribute | ast.Name):
        name = last_name(function).lower().strip("_")
        return name == "tokenizer" or (name.endswith("_tokenizer") and not name.startswith(("load", "get", "make")))
    return False


def asks_service(module: Module, node: ast.Call) -> bool:
    """Tell whether the call waits for an answer over HTTP."""
    if not _HTTP_FUNCTIONS.isdisjoint(module.functions_called.get(id(node), ())):
        return True
    function = node.func
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr in _HTTP_VERBS and _HTTP_CLIENT.search(last_name(function.value)):
        return True
    return function.attr == "create" and ast.unparse(function).endswith(_SERVICE_CALLS)


# What every name of a loader ends in.
_MAY_LOAD: Final = tuple(sorted({name.rpartition(".")[2].encode() for name in _LOADERS | _LOADING_METHODS}))


def may_load(module: Module) -> bool:
    """Tell whether anything in the module's text could be a loader's name."""
    return any(word in module.source for word in _MAY_LOAD)


def loads_model(module: Module, node: ast.Call) -> str | None:
    """Return what the call loads a model with, as written; None where it loads none."""
    function = node.func
    is_method = isinstance(function, ast.Attribute) and function.attr in _LOADING_METHODS
    if is_method or not _LOADERS.isdisjoint(module.functions_called.get(id(node), ())):
        return ast.unparse(function)[:80]
    return None
