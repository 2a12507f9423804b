/** Which images are pulled each time. Mirrors: pkg/apis/core/v1/defaults.go */
import { imageTag } from "@knarr/apimachinery"

/** `Always` for the tag `latest`, stated or implied, and `IfNotPresent` for any other image. */
export function pullPolicyOf(image: string): "Always" | "IfNotPresent" {
  return imageTag(image) === "latest" ? "Always" : "IfNotPresent"
}
