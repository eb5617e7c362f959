"""The container image, compose file, chart, dashboard and alerts: read by the tools that know them, as far as they go.

No container engine and no cluster is needed, so nothing is built or started here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import promql_parser
import pytest
import yaml
from compose_spec import PyCompose

from mixpeek.config import CLIENT_VARIABLES, Settings
from mixpeek.metrics.families import FAMILIES, PREFIX

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "mixpeek"
# The oldest that the chart asks for, and a newer one.
KUBERNETES = ("1.30", "1.34")
# Kinds that an operator brings along, with schemas of their own.
FOREIGN = {"RayCluster": "ray.io/v1", "ServiceMonitor": "monitoring.coreos.com/v1"}
# Of the scaled profile: known to servers that run several parts, a Ray cluster, an S3 store or Qdrant.
SCALED = {
    *("MIXPEEK_EXECUTION", "MIXPEEK_DATABASE_REPLICA_URLS", "MIXPEEK_DOCUMENTS_URL", "MIXPEEK_DOCUMENTS_API_KEY"),
    *("MIXPEEK_OBJECTS_PRESIGN", "MIXPEEK_SIGNING_KEY"),
}
# Where alone a name is not a setting: the key of a Secret that Prometheus reads, not a server.
NOT_SETTINGS = {"MIXPEEK_METRICS_KEY"}
EVERYTHING = {
    "ray": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls"},
    "api": {"autoscaling": {"enabled": True}},
    "settings": {"MIXPEEK_METRICS": "open"},
}


def files() -> list[Path]:
    return [ROOT / "Dockerfile", *(path for path in DEPLOY.rglob("*") if path.is_file())]


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    found = subprocess.run(
        [hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (found.returncode, found.stdout) == (0, "")


def test_what_the_image_copies_is_not_left_out_of_its_context() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source.removeprefix("./") for line in copied for source in line.split()[:-1]]
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}

    assert sources
    assert set(sources) == kept
    assert [each for each in sources if not (ROOT / each).exists()] == []


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def test_the_compose_file_is_one(compose: dict[str, Any]) -> None:
    plain = {key: value for key, value in compose.items() if not key.startswith("x-")}

    read = PyCompose.from_yaml(yaml.safe_dump(plain))
    read.validate()

    assert set(read.service_names()) == set(plain["services"])


def test_services_depend_on_services_and_mount_files_that_are_there(compose: dict[str, Any]) -> None:
    targets = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    scraped = {target.split(":")[0] for target in targets["static_configs"][0]["targets"]}

    assert scraped == {name for name in compose["services"] if name.startswith("api-")}
    for name, service in compose["services"].items():
        for other in service.get("depends_on", ()):
            assert other in compose["services"], f"{name} depends on {other}"
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in compose["volumes"], mount


def test_every_value_that_compose_asks_for_has_an_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)[:?}]", (DEPLOY / "compose.yaml").read_text()))
    given = {
        line.split("=")[0]
        for line in (DEPLOY / "example.env").read_text().splitlines()
        if "=" in line[:40] and line[0] != "#"
    }

    assert asked == given


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_settings_are_named_as_they_are(path: Path) -> None:
    named = set(re.findall(r"\bMIXPEEK_[A-Z0-9_]+[A-Z0-9]", path.read_text()))
    known = {f"MIXPEEK_{name.upper()}" for name in Settings.model_fields} | CLIENT_VARIABLES | SCALED | NOT_SETTINGS

    assert named - known == set()


def rendered(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with helm_python.Chart.load(str(CHART)) as chart:
        texts = chart.render(values=values, name="demo")
    for text in texts.values():
        yield from (each for each in yaml.safe_load_all(text) if each)


def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    found = helm_python.lint(str(CHART))

    assert found["errors"] == []
    assert [each for each in found["messages"] if each["severity"] > 1] == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_what_the_chart_makes_is_what_kubernetes_takes(values: dict[str, Any], version: str) -> None:
    made = list(rendered(values))

    for each in made:
        if each["kind"] in FOREIGN:
            assert each["apiVersion"] == FOREIGN[each["kind"]]
        else:
            kubernetes_validate.validate(each, version, strict=True)
    assert {each["kind"] for each in made} >= {"Deployment", "Service", "Job", "PodDisruptionBudget"}
    assert ({each["kind"] for each in made} >= set(FOREIGN)) is bool(values)


def test_a_schema_tells_a_fault_in_what_the_chart_makes() -> None:
    deployment = next(each for each in rendered({}) if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES[-1], strict=True)


def test_selectors_of_the_chart_find_its_own_pods() -> None:
    made = list(rendered(EVERYTHING))
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in made if each["kind"] == "Deployment"]

    for each in made:
        selector = each["spec"].get("selector", {}) if each["kind"] != "ServiceMonitor" else {}
        wanted = selector.get("matchLabels", selector)
        if wanted:
            assert sum(wanted.items() <= labels.items() for labels in pods) == 1, each["metadata"]["name"]


def series() -> set[str]:
    """Return every name of a series that /metrics has."""
    parts = {"histogram": ("_bucket", "_sum", "_count")}
    return {f"{PREFIX}{family.name}{part}" for family in FAMILIES for part in parts.get(family.kind, ("",))}


def expressions() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [*shown, *(rule["expr"] for group in rules["groups"] for rule in group["rules"])]


@pytest.mark.parametrize("expression", expressions())
def test_questions_to_prometheus_are_about_series_that_there_are(expression: str) -> None:
    promql_parser.parse(expression.replace("$__rate_interval", "1m"))

    named = set(re.findall(r"\bmixpeek_\w+", expression))
    assert named <= series()
    assert named or 'job="mixpeek"' in expression


def test_the_dashboard_shows_everything_that_metrics_tell_but_names() -> None:
    shown = set(re.findall(r"\bmixpeek_\w+", "\n".join(expressions())))
    names = {"mixpeek_plugin_info", "mixpeek_namespace_info"}

    assert {PREFIX + family.name for family in FAMILIES} - {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in shown
    } == names


def test_panels_do_not_overlap_and_ask_the_provisioned_source() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    source = yaml.safe_load((DEPLOY / "grafana" / "datasource.yml").read_text())["datasources"][0]
    taken: set[tuple[int, int]] = set()

    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == source["uid"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
