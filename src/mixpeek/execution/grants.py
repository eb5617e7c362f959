"""What this machine grants to hosts beyond a processor: a network through the proxy, a GPU. Pure, but for `here`."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Literal

from mixpeek.errors import EgressOff, NoGpu
from mixpeek.execution import gpu
from mixpeek.execution.egress.policy import SWITCH_VARIABLE, EgressPolicy
from mixpeek.execution.port import HostSpec

_WITHOUT_GPU = "asks for a GPU (resource_type gpu), and this machine has none"


@dataclass(frozen=True)
class EgressStatus:
    """How hosts that ask for a network get one here."""

    mode: Literal["proxy", "off", "unrestricted", "unavailable"]
    detail: str


@dataclass(frozen=True)
class Grants:
    """An operator's settings, and whether there is a GPU."""

    egress: EgressPolicy = field(default_factory=EgressPolicy)
    has_gpu: bool = False
    gpu_fallback: bool = False

    @classmethod
    def here(cls, *, gpu_fallback: bool = False) -> Grants:
        """Read this process's environment and devices; raise SettingInvalid."""
        policy = EgressPolicy.from_environ(os.environ)
        return cls(policy, bool(gpu.find_devices()), gpu_fallback or gpu.falls_back(os.environ))

    def decide(self, spec: HostSpec) -> tuple[HostSpec, list[str]]:
        """Return the spec to start a host with, and what to warn of; raise EgressOff, NoGpu."""
        if spec.network and not self.egress.enabled:
            raise EgressOff(
                "EgressOff: the plugin asks for a network (resource_type api), and this server gives plugins none: "
                f"its operator has set {SWITCH_VARIABLE}=off",
                hint="Use steps of the resource type cpu or gpu, or ask the operator of this server",
            )
        if not spec.gpu or self.has_gpu:
            return spec, []
        if self.gpu_fallback:
            return dataclasses.replace(spec, gpu=False), [f"The plugin {_WITHOUT_GPU}: it runs on the processor"]
        raise NoGpu(
            f"NoGpu: the plugin {_WITHOUT_GPU}; declare ResourceType.CPU if it runs without one, deploy where there is "
            f"one, or have the server's operator set {gpu.FALLBACK_VARIABLE}=cpu",
        )

    def foresee(self, spec: HostSpec) -> list[str]:
        """Return what a version that is not run now will meet here once it is, as warnings."""
        try:
            return self.decide(spec)[1]
        except (EgressOff, NoGpu) as refused:
            return [f"Batches of this version will fail on this machine. {refused.message}"]

    def egress_status(self, sandbox: Literal["bubblewrap", "off", "unavailable"]) -> EgressStatus:
        """Return what to say of the network in a health report."""
        if not self.egress.enabled:
            return EgressStatus("off", f"{SWITCH_VARIABLE}=off: plugins that ask for a network are refused")
        if sandbox == "off":
            return EgressStatus("unrestricted", "without a sandbox, plugins that ask for a network have this machine's")
        if sandbox == "unavailable":
            return EgressStatus("unavailable", "plugins cannot be isolated, so none is given a network")
        count = len(self.egress.exemptions)
        exempt = f"; {count} exempted by the operator" if count else ""
        return EgressStatus("proxy", f"api plugins reach public addresses through a proxy{exempt}")
