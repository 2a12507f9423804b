/**
 * The file that configures admission plugins (`--admission-control-config-file`).
 * Mirrors: apiserver pkg/admission/config.go
 */
import { dirname, resolve } from "node:path"
import { loadYaml } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { decodeConfig, readConfigText, type ConfigType } from "@knarr/client"

interface AdmissionConfiguration {
  readonly plugins?: readonly {
    readonly name?: string
    readonly path?: string
    readonly configuration?: unknown
  }[]
}

const type: ConfigType = {
  apiVersions: ["apiserver.config.k8s.io/v1", "apiserver.k8s.io/v1alpha1"],
  kind: "AdmissionConfiguration",
  packageName: "io.k8s.apiserver.pkg.apis.admission.v1",
  table: {
    AdmissionConfiguration: {
      apiVersion: "string",
      kind: "string",
      plugins: "[]AdmissionPluginConfiguration",
    },
    AdmissionPluginConfiguration: { configuration: "any", name: "string", path: "string" },
  },
}

/** Plugins whose own files had no version once, by the field that tells them. */
const unversioned = { imagePolicy: "ImagePolicyWebhook", podNodeSelectorPluginConfig: "PodNodeSelector" }

/** Each plugin's configuration, parsed, by its name. Rejects when a file cannot be read. */
export async function readAdmissionConfiguration(path: string): Promise<ReadonlyMap<string, unknown>> {
  try {
    const document = await parsed(path)
    if (typeof document === "object" && document !== null && !("kind" in document)) {
      const own = Object.entries(unversioned).filter(([field]) => field in document)
      if (own.length > 0) return new Map(own.map(([, name]) => [name, document]))
    }
    const { plugins = [] } = decodeConfig<AdmissionConfiguration>(document, type)
    const found = new Map<string, unknown>()
    for (const { name = "", path: at = "", configuration } of plugins) {
      if (found.has(name)) continue
      if (configuration !== undefined && configuration !== null) found.set(name, configuration)
      else if (at !== "") found.set(name, await parsed(resolve(dirname(path), at)))
    }
    return found
  } catch (thrown) {
    throw new Error(
      `unable to read admission control configuration from ${JSON.stringify(path)} [${messageOf(thrown)}]`,
      { cause: thrown },
    )
  }
}

async function parsed(path: string): Promise<unknown> {
  const yaml = await loadYaml()
  return yaml.parse(await readConfigText(path), {})
}
