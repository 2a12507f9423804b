/** What `/version` says. Mirrors: apimachinery pkg/version */
import { kubernetesVersion } from "@knarr/api"

/** The body of `/version`. */
export function versionInfo(): Record<string, string> {
  const [major, minor] = kubernetesVersion.split(".")
  const arch = process.arch === "x64" ? "amd64" : process.arch
  return {
    major: major!,
    minor: minor!,
    emulationMajor: major!,
    emulationMinor: minor!,
    minCompatibilityMajor: major!,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion: `v${kubernetesVersion}+knarr`,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: `node${process.versions.node}`,
    compiler: "v8",
    platform: `linux/${arch}`,
  }
}
