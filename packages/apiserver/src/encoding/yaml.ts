/** YAML, of whole documents: nothing is watched in it. */
import { stringifyYaml } from "@knarr/apimachinery"
import { type Encoding, valueOf } from "./encoding.ts"

export const yaml: Encoding = {
  name: "yaml",
  mediaType: "application/yaml",
  document: (content) => Buffer.from(stringifyYaml(valueOf(content))),
}
