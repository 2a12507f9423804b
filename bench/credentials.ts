/** The certificates of a server under test, as files. */
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { createCA, createPrivateKeyPem, issueCertificate } from "@knarr/base"

export interface Credentials {
  readonly ca: string
  readonly serverCert: string
  readonly serverKey: string
  /** A member of system:masters. */
  readonly clientCert: string
  readonly clientKey: string
  /** Signs service account tokens. */
  readonly serviceAccountKey: string
}

/** Writes new ones into `dir` and answers the files' names. */
export function writeCredentials(dir: string): Credentials {
  const hour = 60 * 60 * 1000
  const span = () => ({
    serial: randomBytes(16),
    notBeforeMs: Date.now() - hour,
    notAfterMs: Date.now() + 24 * hour,
  })
  const ca = createCA({ subject: { commonName: "bench-ca" }, ...span() })
  const server = issueCertificate(ca, {
    subject: { commonName: "kube-apiserver" },
    dnsNames: ["localhost", "kubernetes.default.svc"],
    ipAddresses: ["127.0.0.1", "10.96.0.1"],
    usages: ["serverAuth"],
    ...span(),
  })
  const client = issueCertificate(ca, {
    subject: { commonName: "admin", organizations: ["system:masters"] },
    usages: ["clientAuth"],
    ...span(),
  })
  const file = (name: string, text: string): string => {
    const path = join(dir, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  return {
    ca: file("ca.crt", ca.cert),
    serverCert: file("server.crt", server.cert),
    serverKey: file("server.key", server.key),
    clientCert: file("client.crt", client.cert),
    clientKey: file("client.key", client.key),
    serviceAccountKey: file("sa.key", createPrivateKeyPem()),
  }
}
