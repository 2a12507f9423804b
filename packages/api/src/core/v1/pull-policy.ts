/** Which images are pulled each time. Mirrors: pkg/apis/core/v1/defaults.go and pkg/util/parsers */

const reference =
  /^(?:(?:[a-zA-Z0-9.-]+|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$/

/** `Always` for the tag `latest`, stated or implied, and `IfNotPresent` for any other image. */
export function pullPolicyOf(image: string): "Always" | "IfNotPresent" {
  const groups = reference.exec(image)?.groups
  if (!groups) return "IfNotPresent"
  const tag = groups["tag"] ?? (groups["digest"] ? "" : "latest")
  return tag === "latest" ? "Always" : "IfNotPresent"
}
