/** A control plane for tests of what stands beside the API server. */
import { kinds } from "@knarr/api"
import { createControlPlane, type ControlPlane } from "@knarr/apiserver"
import { createPrivateKeyPem, type Env, type Scope } from "@knarr/base"
import { createMemoryStore } from "@knarr/store"

const serviceAccounts = { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] }

/** In memory, with what every cluster begins with; it ends with the scope. */
export async function startTestPlane(scope: Scope, env: Env): Promise<ControlPlane> {
  const store = scope.use(createMemoryStore({ env }))
  const plane = await createControlPlane({ env, store, kinds, scope, serviceAccounts })
  await plane.bootstrap()
  return plane
}
