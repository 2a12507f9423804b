/**
 * Flags of what is on. Here that is what the release has on by default: what says so is taken, a name or value that
 * kube-apiserver would not take is refused in its words, and the rest because it cannot be had.
 * Mirrors: component-base featuregate/feature_gate.go, apiserver pkg/server/options/api_enablement.go
 */
import { kinds } from "@knarr/api"
import { featureGates } from "@knarr/apiserver"
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup } from "./flag-group.ts"

const defaultsOnly = "what is on is what Kubernetes 1.37 has on by default"

export const featureFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: { "feature-gates": "text", "runtime-config": "text" },
  read(given) {
    for (const item of given.list("feature-gates") ?? []) checkGate(item)
    const versions = new Set(
      kinds.map(({ group, version }) => (group === "" ? version : `${group}/${version}`)),
    )
    for (const item of given.list("runtime-config") ?? []) checkVersion(item, versions)
    return {}
  },
})

/** `Name=true` or `kube:Name=true`. */
function checkGate(item: string): void {
  const { component = "kube", text } = /^(?:(?<component>[^:=]*):)?(?<text>.*)$/s.exec(item)!.groups!
  if (component !== "kube") throw new UsageError(`component not registered: ${component}`)
  const [name, value] = halves(text!)
  if (value === undefined) throw new UsageError(`missing bool value for ${name}`)
  const wanted = parseBool(value)
  if (wanted === undefined)
    throw new UsageError(
      `invalid value of ${name}=${value}, err: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    )
  const gate = Object.hasOwn(featureGates, name) ? featureGates[name] : undefined
  if (!gate) throw new UsageError(`unrecognized feature gate: ${name}`)
  const [, enabled, locked] = gate
  if (wanted === enabled) return
  if (locked)
    throw new UsageError(`cannot set feature gate ${name} to ${wanted}, feature is locked to ${enabled}`)
  throw new UsageError(`--feature-gates ${item} can not be given here: ${defaultsOnly}`)
}

/** Of the keys for many versions, what each is without the flag. */
const manyVersions: Readonly<Record<string, boolean>> = {
  "api/all": false,
  "api/ga": true,
  "api/beta": false,
  "api/alpha": false,
}

/** `apps/v1=true`, `api/alpha=false`; a key alone is true. */
function checkVersion(item: string, versions: ReadonlySet<string>): void {
  const [key, text = ""] = halves(item)
  const wanted = text === "" ? true : { true: true, false: false }[text]
  const many = Object.hasOwn(manyVersions, key)
  if (!many && !/^(v\d\w*|[^/]+\/[^/]+)$/.test(key)) throw new UsageError(`runtime-config invalid key ${key}`)
  if (wanted === undefined) throw new UsageError(`invalid value ${item}`)
  if (wanted === (many ? manyVersions[key] : versions.has(key))) return
  if (!many && !versions.has(key) && !isEarly(key))
    throw new UsageError(`group version ${key} that has not been registered`)
  throw new UsageError(`--runtime-config ${item} can not be given here: ${defaultsOnly}`)
}

/** Alpha and beta versions are off: which of them exist is not known here. */
function isEarly(key: string): boolean {
  return /\/v\d+(alpha|beta)\d+$/.test(key)
}

function halves(item: string): [key: string, value?: string] {
  const at = item.indexOf("=")
  return at < 0 ? [item.trim()] : [item.slice(0, at).trim(), item.slice(at + 1).trim()]
}

/** As Go's strconv.ParseBool. */
function parseBool(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true
  return /^(0|f|F|false|FALSE|False)$/.test(text) ? false : undefined
}
