/** What program this is, and how many metrics it has. Mirrors: component-base metrics/{version,metrics}.go, compatibility */
import type { Meter, Scope } from "@knarr/base"
import { featureGates } from "./feature-gates.gen.ts"
import { versionInfo } from "../endpoints/version.ts"

export function addBuildMetrics(meter: Meter, scope: Scope): void {
  const version = versionInfo()
  const labels = {
    build_date: version["buildDate"]!,
    compiler: version["compiler"]!,
    git_commit: version["gitCommit"]!,
    git_tree_state: version["gitTreeState"]!,
    git_version: version["gitVersion"]!,
    go_version: version["goVersion"]!,
    major: version["major"]!,
    minor: version["minor"]!,
    platform: version["platform"]!,
  }
  meter
    .gauge({
      name: "kubernetes_build_info",
      help: "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
      labels: Object.keys(labels),
      stability: "BETA",
    })
    .set(1, ...Object.values(labels))
  meter
    .gauge({
      name: "version_info",
      help: "Provides the compatibility version info of the component. The component label is the name of the component, usually kube, but is relevant for aggregated-apiservers.",
      labels: ["binary", "component", "emulation", "min_compat"],
    })
    .set(
      1,
      version["gitVersion"]!.replace(/^v|\+.*$/g, ""),
      "kube",
      `${version["emulationMajor"]}.${version["emulationMinor"]}`,
      `${version["minCompatibilityMajor"]}.${version["minCompatibilityMinor"]}`,
    )
  const feature = meter.gauge({
    name: "kubernetes_feature_enabled",
    help: "This metric records the data about the stage and enablement of a k8s feature.",
    labels: ["name", "stage"],
    stability: "BETA",
  })
  for (const [name, [stage, enabled]] of Object.entries(featureGates))
    feature.set(enabled ? 1 : 0, name, stage)
  scope.use(
    meter.collect(
      "counter",
      {
        name: "registered_metrics_total",
        help: "The count of registered metrics broken by stability level and deprecation version.",
        labels: ["stability_level", "deprecated_version"],
        stability: "BETA",
      },
      () => [...meter.countByStability()].map(([stability, count]) => [[stability, ""], count]),
    ),
  )
  // None has ever been taken out of service.
  for (const state of ["hidden", "disabled"])
    meter.counter({
      name: `${state}_metrics_total`,
      help: `The count of ${state} metrics.`,
      stability: "BETA",
    })
}
