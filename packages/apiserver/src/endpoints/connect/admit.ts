/**
 * Shows what is to be connected to admission: as the options of the connection, which it may change.
 * Mirrors: apiserver pkg/endpoints/handlers/rest.go (ConnectResource)
 */
import type { KubeObject } from "@knarr/apimachinery"
import { createAdmissionRequest } from "../../admission/attributes.ts"
import type { RequestContext } from "../../contract.ts"
import type { ResourceStorage } from "../../registry/storage.ts"
import type { ServerExchange } from "../../server/exchange.ts"
import { flag } from "./pod-target.ts"

interface OptionsShape {
  readonly kind: string
  readonly flags?: readonly string[]
  readonly texts?: readonly string[]
  readonly lists?: readonly string[]
  readonly numbers?: readonly string[]
}

/** Parameters that are fields of each kind of options, by resource and subresource. */
const shapes: Readonly<Record<string, OptionsShape>> = {
  "pods/exec": {
    kind: "PodExecOptions",
    flags: ["stdin", "stdout", "stderr", "tty"],
    texts: ["container"],
    lists: ["command"],
  },
  "pods/attach": {
    kind: "PodAttachOptions",
    flags: ["stdin", "stdout", "stderr", "tty"],
    texts: ["container"],
  },
  "pods/portforward": { kind: "PodPortForwardOptions", numbers: ["ports"] },
  "pods/proxy": { kind: "PodProxyOptions" },
  "services/proxy": { kind: "ServiceProxyOptions" },
  "nodes/proxy": { kind: "NodeProxyOptions" },
}

/** Asks admission. Throws the StatusError that refuses the connection. What admission changes counts for the query. */
export async function admitConnection(
  storage: ResourceStorage,
  exchange: ServerExchange,
  ctx: RequestContext,
): Promise<void> {
  const { info, user, warnings, signal, audit } = ctx
  const shape = shapes[`${info.resource}/${info.subresource}`]!
  const { admission } = storage.deps
  const attributes = createAdmissionRequest({
    operation: "CONNECT",
    kind: storage.kind,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    object: optionsOf(shape, exchange.query, info.rest),
    oldObject: undefined,
    user,
    dryRun: false,
    options: undefined,
    warnings,
    signal,
    annotate: audit?.annotate,
  })
  const before = attributes.object
  const admitting = admission.admit(attributes)
  if (admitting) await admitting
  const validating = admission.validate(attributes)
  if (validating) await validating
  if (attributes.object !== before) take(shape, attributes.object!, exchange.query)
}

function optionsOf(
  { kind, flags = [], texts = [], lists = [], numbers = [] }: OptionsShape,
  query: URLSearchParams,
  rest: string,
): KubeObject {
  const options: Record<string, unknown> = { kind, apiVersion: "v1" }
  for (const name of flags) if (flag(query, name)) options[name] = true
  for (const name of texts) if (query.get(name)) options[name] = query.get(name)
  for (const name of lists) if (query.has(name)) options[name] = query.getAll(name)
  for (const name of numbers) if (query.has(name)) options[name] = query.getAll(name).flatMap(wholeNumbers)
  if (kind.endsWith("ProxyOptions") && rest !== "") options["path"] = rest
  return options as unknown as KubeObject
}

/** Ports come one by one, or several with commas between them. */
function wholeNumbers(text: string): number[] {
  return text.split(",").map(Number).filter(Number.isSafeInteger)
}

function take(
  { flags = [], texts = [], lists = [], numbers = [] }: OptionsShape,
  admitted: KubeObject,
  query: URLSearchParams,
): void {
  const options = admitted as unknown as Readonly<Record<string, unknown>>
  for (const name of [...flags, ...texts, ...lists, ...numbers]) {
    query.delete(name)
    const value = options[name]
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null && one !== false) query.append(name, String(one))
  }
}
