/** The two sides: the published control plane, as the benchmarks start it, and Knarr's in this process. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { kinds } from "@knarr/api"
import { type OpenApiDocs, readOpenApiDocs, startApiServer } from "@knarr/apiserver"
import {
  Scope,
  createCA,
  createPrivateKeyPem,
  issueCertificate,
  silentLogger,
  systemClock,
  systemRandom,
  Meter,
  type Logger,
} from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import { startReference } from "../../bench/reference-server.ts"
import type { Workspace } from "../../bench/workspace.ts"
import { connectTo, targetOf, type Target } from "./send.ts"

/** The texts of fields and columns, as the set-up makes them; made now when they are not there. */
async function openApiDocs(): Promise<OpenApiDocs> {
  await import("../docs.ts")
  return readOpenApiDocs(readFileSync(join(import.meta.dirname, "../../dist/openapi-docs.bin")))
}

/** etcd and kube-apiserver from the folder `bin`; without one they are built when they are not there (`tools/reference/build.sh`). */
export async function referenceTarget(workspace: Workspace, bin: string | undefined): Promise<Target> {
  const server = await startReference(workspace, "diff", bin)
  return connectTo(Number(new URL(server.url).port), server.credentials)
}

/** Knarr's API server on a store in memory, with the settings of the reference. Ends with `scope`. */
export async function knarrTarget(scope: Scope, log: Logger = silentLogger): Promise<Target> {
  const env = { clock: systemClock, random: systemRandom, log, meter: new Meter() }
  const hourMs = 60 * 60 * 1000
  const span = () => ({
    serial: systemRandom.bytes(16),
    notBeforeMs: systemClock.now() - hourMs,
    notAfterMs: systemClock.now() + 24 * hourMs,
  })
  const ca = createCA({ subject: { commonName: "diff-ca" }, ...span() })
  const server = issueCertificate(ca, {
    subject: { commonName: "kube-apiserver" },
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
    usages: ["serverAuth"],
    ...span(),
  })
  const client = issueCertificate(ca, {
    subject: { commonName: "admin", organizations: ["system:masters"] },
    usages: ["clientAuth"],
    ...span(),
  })
  const store = scope.use(createMemoryStore({ env }))
  const docs = await openApiDocs()
  const { port } = await startApiServer({
    env,
    store,
    kinds,
    scope: scope.child("apiserver"),
    bindAddresses: ["127.0.0.1"],
    port: 0,
    openApiDocs: () => docs,
    certificates: { cert: server.cert, key: server.key, clientCA: ca.cert },
    clientCA: ca.cert,
    serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
    serviceCIDRs: ["10.96.0.0/16"],
    shutdownGraceSeconds: 0,
  })
  const target = targetOf(port, { ca: ca.cert, cert: client.cert, key: client.key })
  scope.defer(() => target.agent.destroy())
  return target
}
