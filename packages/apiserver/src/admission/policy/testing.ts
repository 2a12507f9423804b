/** What the tests of policies share: a control plane for a whole file, without policies and objects when a test begins. */
import { after, afterEach, before } from "node:test"
import {
  configMap,
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
} from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import { deferred } from "@knarr/base"
import type { ControlPlane } from "../../control-plane.ts"
import { testEnv, withTestPlane } from "../../testing.ts"

/** The rule for every operation on ConfigMaps. */
export const configMaps = {
  operations: ["*"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: ["configmaps"],
}

/** An object of the namespace `default`. */
export const made = (name: string, more: object = {}): never =>
  ({ metadata: { name, namespace: "default" }, ...more }) as never

const policyKinds: readonly Kind[] = [
  validatingAdmissionPolicyBinding,
  validatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  mutatingAdmissionPolicy,
] as Kind[]

/** Starts a control plane before the file's tests and ends it after them. */
export function planeForTests(): { readonly plane: ControlPlane } {
  const shared: { plane?: ControlPlane } = {}
  const finished = deferred()
  let running: Promise<void>
  before(async () => {
    const ready = deferred()
    running = withTestPlane(
      async (started) => {
        shared.plane = started
        ready.resolve()
        await finished.promise
      },
      { env: testEnv },
    )
    await Promise.race([ready.promise, running])
  })
  after(async () => {
    finished.resolve()
    await running
  })
  afterEach(async () => {
    const client = shared.plane!.client()
    const { registry } = shared.plane!
    for (const kind of policyKinds)
      for (const { metadata } of registry.list(kind)) await client.delete(kind, { name: metadata.name! })
    for (const { metadata } of registry.list(configMap, "default"))
      await client.delete(configMap, { name: metadata.name!, namespace: "default" })
  })
  return shared as { readonly plane: ControlPlane }
}

/** Creates a policy on ConfigMaps, unless `spec` says otherwise, and its binding `<name>-bound`. */
export async function install(
  plane: ControlPlane,
  which: "validating" | "mutating",
  name: string,
  spec: object,
  binding: object = {},
): Promise<void> {
  const validating = which === "validating"
  const [bindingKind, policyKind] = validating ? policyKinds : policyKinds.slice(2)
  const matchConstraints = { resourceRules: [configMaps] }
  const client = plane.client()
  await client.create(policyKind!, { metadata: { name }, spec: { matchConstraints, ...spec } } as never)
  const bound = { policyName: name, ...(validating ? { validationActions: ["Deny"] } : {}), ...binding }
  await client.create(bindingKind!, { metadata: { name: `${name}-bound` }, spec: bound } as never)
}
