"""Which device files make up this machine's GPUs, and what a host's environment says about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FALLBACK_VARIABLE = "MIXPEEK_GPU_FALLBACK"

_NVIDIA_GPU = re.compile(r"nvidia\d+")
_NVIDIA_SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
_AMD_COMPUTE = "kfd"
_RENDERERS = "dri/renderD*"
_CHOICES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def find_devices(dev: Path = Path("/dev")) -> tuple[Path, ...]:
    """Return the device files a program needs to compute on the GPUs here; () where there is none.

    A render node alone is a display's, not something that models run on.
    """
    found: list[Path] = []
    if dev.is_dir():
        cards = sorted(path for path in dev.iterdir() if _NVIDIA_GPU.fullmatch(path.name))
        if cards:
            found += [*cards, *(dev / name for name in _NVIDIA_SHARED if (dev / name).exists())]
            found += sorted((dev / "nvidia-caps").glob("*"))
        if (dev / _AMD_COMPUTE).exists():
            found += [dev / _AMD_COMPUTE, *sorted(dev.glob(_RENDERERS))]
    return tuple(found)


def environment(environ: Mapping[str, str], *, allowed: bool) -> dict[str, str]:
    """Return a host's variables: the operator's own choice of GPUs if it may use them, else none at all."""
    if not allowed:
        return dict.fromkeys(_CHOICES, "")
    return {name: environ[name] for name in _CHOICES if name in environ}


def falls_back(environ: Mapping[str, str]) -> bool:
    """Tell whether steps that ask for a GPU run without one where there is none."""
    return environ.get(FALLBACK_VARIABLE, "").strip().lower() == "cpu"
