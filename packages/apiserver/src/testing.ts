/** What this package's tests share: an environment, certificates and a control plane. */
import { kinds } from "@knarr/api"
import type { Status, StatusError } from "@knarr/apimachinery"
import {
  Scope,
  VirtualClock,
  createCA,
  createPrivateKeyPem,
  issueCertificate,
  randomInt,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  type Env,
  type KeyPair,
  Meter,
} from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import { startApiServer, type ApiServer, type ApiServerOptions } from "./api-server.ts"
import { createControlPlane, type ControlPlane, type ControlPlaneOptions } from "./control-plane.ts"

export const testEnv: Env = {
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  meter: new Meter(),
}

export interface TestCertificates {
  readonly ca: KeyPair
  readonly server: KeyPair
  client(name: string, ...groups: string[]): KeyPair
}

const day = 24 * 60 * 60 * 1000

export function testCertificates(): TestCertificates {
  const now = Date.parse("2026-01-01T00:00:00Z")
  const validity = { notBeforeMs: now - 1000 * day, notAfterMs: now + 3650 * day }
  const serial = (): Uint8Array => systemRandom.bytes(16)
  const ca = createCA({
    subject: { commonName: `test-ca-${randomInt(systemRandom, 1e9)}` },
    serial: serial(),
    ...validity,
  })
  const server = issueCertificate(ca, {
    subject: { commonName: "kube-apiserver" },
    serial: serial(),
    ...validity,
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
    usages: ["serverAuth"],
  })
  return {
    ca,
    server,
    client: (commonName, ...organizations) =>
      issueCertificate(ca, {
        subject: { commonName, organizations },
        serial: serial(),
        ...validity,
        usages: ["clientAuth"],
      }),
  }
}

/** A server of every kind on a port of loopback, in memory; `more` is what the test is about. */
export function startTestServer(
  scope: Scope,
  certificates: TestCertificates,
  more: Partial<ApiServerOptions> = {},
): Promise<ApiServer> {
  return startApiServer({
    env: testEnv,
    scope,
    store: scope.use(createMemoryStore({ env: testEnv })),
    kinds,
    bindAddresses: ["127.0.0.1"],
    port: 0,
    certificates: { ...certificates.server, clientCA: certificates.ca.cert },
    serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
    ...more,
  })
}

/** Runs a control plane on a virtual clock, with what every cluster begins with. */
export async function withTestPlane(
  run: (plane: ControlPlane) => Promise<void>,
  options: Partial<ControlPlaneOptions> = {},
): Promise<void> {
  const env: Env = {
    clock: new VirtualClock(),
    random: seededRandom(1),
    log: silentLogger,
    meter: new Meter(),
  }
  await using scope = new Scope("test")
  const plane = await createControlPlane({
    env,
    store: scope.use(createMemoryStore({ env })),
    kinds,
    scope,
    serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
    ...options,
  })
  await plane.bootstrap()
  await run(plane)
}

/** The message of the Status that refuses `work`; undefined when nothing does. */
export async function refusalMessage(work: Promise<unknown>): Promise<string | undefined> {
  return (await refusalOf(work))?.message
}

/** The Status that refuses `work`; undefined when nothing does. */
export async function refusalOf(work: Promise<unknown>): Promise<Status | undefined> {
  try {
    await work
    return undefined
  } catch (thrown) {
    return (thrown as StatusError).status
  }
}
