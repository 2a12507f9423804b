/** The cluster's certificates: made once, renewed by `up` when they are near their end. */
import { X509Certificate, createPrivateKey, createPublicKey } from "node:crypto"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import {
  createCA,
  createPrivateKeyPem,
  issueCertificate,
  type CertificateOptions,
  type Env,
  type KeyPair,
} from "@knarr/base"
import { UsageError, writeAtomically, type ClusterHome } from "./cluster-home.ts"
import { simulatedProcess, simulatedUser } from "./simulated-names.ts"

export interface ClusterPki {
  readonly ca: KeyPair
  readonly server: KeyPair
  /** The API server's identity towards kubelets. */
  readonly kubeletClient: KeyPair
  readonly admin: KeyPair
  /** The authority of proxies that say for whom they ask; it signs nobody else. */
  readonly frontProxyCA: KeyPair
  /** The API server's identity towards aggregated servers. */
  readonly frontProxyClient: KeyPair
  /** Signs service account tokens. */
  readonly serviceAccount: { readonly privateKey: string; readonly publicKey: string }
}

/** Whom aggregated servers take for the API server. */
export const frontProxyName = "front-proxy-client"

const dayMs = 86_400_000
const caLifeMs = 3650 * dayMs
const leafLifeMs = 365 * dayMs
/** A certificate is made anew when less than this is left. */
const renewBeforeMs = 30 * dayMs

type ServerNames = Required<Pick<CertificateOptions, "dnsNames" | "ipAddresses">>

/**
 * Reads the certificates in `dir`, making what is missing, near its end, or names other addresses. Throws when the key of an
 * authority is not that of its certificate: nobody would trust what it signs.
 */
export function ensurePki(dir: string, env: Env, server: ServerNames): ClusterPki {
  return makePki(pairsIn(dir, env), env, server, () => {
    const keyFile = join(dir, "sa.key")
    if (!existsSync(keyFile)) writeAtomically(keyFile, createPrivateKeyPem())
    return readFileSync(keyFile, "utf8")
  })
}

/** Where {@link ensurePki} keeps what the API server is known by; `clientCA` has further authorities of clients. */
export function servingFiles(
  dir: string,
  clientCA?: string,
): {
  readonly cert: string
  readonly key: string
  readonly clientCA: readonly string[]
} {
  return {
    cert: join(dir, "apiserver.crt"),
    key: join(dir, "apiserver.key"),
    clientCA: [join(dir, "ca.crt"), ...(clientCA === undefined ? [] : [clientCA])],
  }
}

/** Certificates that are kept nowhere, of a cluster that ends with its process. */
export function passingPki(env: Env, server: ServerNames, serviceAccountKey: string): ClusterPki {
  return makePki(
    (_name, make) => make(),
    env,
    server,
    () => serviceAccountKey,
  )
}

/** The pair of a name: the one that is kept, when it is good, or else a new one. An authority has no `isGood`: its pair must fit. */
type Pairs = (name: string, make: () => KeyPair, isGood?: (cert: X509Certificate) => boolean) => KeyPair

function makePki(pairs: Pairs, env: Env, server: ServerNames, serviceAccountKey: () => string): ClusterPki {
  const ca = pairs("ca", () => createCA({ subject: { commonName: "knarr-ca" }, ...lifetime(env, caLifeMs) }))
  const frontProxyCA = pairs("front-proxy-ca", () =>
    createCA({ subject: { commonName: "front-proxy-ca" }, ...lifetime(env, caLifeMs) }),
  )
  const leaf = leavesOf(pairs, env, ca)
  const privateKey = serviceAccountKey()
  return {
    ca,
    server: leaf("apiserver", {
      subject: { commonName: "kube-apiserver" },
      usages: ["serverAuth"],
      ...server,
    }),
    kubeletClient: leaf("apiserver-kubelet-client", {
      subject: { commonName: "kube-apiserver-kubelet-client", organizations: ["system:masters"] },
      usages: ["clientAuth"],
    }),
    admin: leaf("admin", {
      subject: { commonName: "kubernetes-admin", organizations: ["system:masters"] },
      usages: ["clientAuth"],
    }),
    frontProxyCA,
    frontProxyClient: leavesOf(
      pairs,
      env,
      frontProxyCA,
    )("front-proxy-client", {
      subject: { commonName: frontProxyName },
      usages: ["clientAuth"],
    }),
    serviceAccount: {
      privateKey,
      publicKey: createPublicKey(privateKey).export({ type: "spki", format: "pem" }) as string,
    },
  }
}

/** What a node's agent has of the cluster's certificates. */
export interface NodePki {
  /** PEM of the cluster's CA. */
  readonly ca: string
  /** The node's identity towards the API server and, as a server, towards those who call its kubelet. */
  readonly kubelet: KeyPair
  /** The identity of the node's network parts, which read what the node itself may not. */
  readonly proxy: KeyPair
}

/** Makes or renews the certificates in a node's folder; whoever holds the CA does, before the node's agent starts. */
export function ensureNodePki(dir: string, env: Env, ca: KeyPair, nodeName: string, address: string): void {
  const leaf = leavesOf(pairsIn(dir, env), env, ca)
  leaf("kubelet", {
    subject: { commonName: `system:node:${nodeName}`, organizations: ["system:nodes"] },
    dnsNames: [nodeName],
    ipAddresses: [address],
    usages: ["clientAuth", "serverAuth"],
  })
  leaf("kube-proxy", { subject: { commonName: "system:kube-proxy" }, usages: ["clientAuth"] })
}

/** Reads what {@link ensureNodePki} made. `caFile` holds the CA's certificate. */
export function readNodePki(dir: string, caFile: string): NodePki {
  const read = (name: string): string => readFileSync(join(dir, name), "utf8")
  const pair = (name: string): KeyPair => ({ cert: read(`${name}.crt`), key: read(`${name}.key`) })
  return { ca: readFileSync(caFile, "utf8"), kubelet: pair("kubelet"), proxy: pair("kube-proxy") }
}

/** What the process of a cluster's simulated nodes has of the certificates. */
export interface SimulatedPki {
  /** PEM of the cluster's CA. */
  readonly ca: string
  /** Its identity towards the API server. */
  readonly client: KeyPair
}

/** Makes or renews the certificate of the process of simulated nodes. */
export function ensureSimulatedPki(cluster: ClusterHome, env: Env, ca: KeyPair): void {
  leavesOf(
    pairsIn(cluster.nodePki(simulatedProcess), env),
    env,
    ca,
  )("client", {
    subject: { commonName: simulatedUser },
    usages: ["clientAuth"],
  })
}

/** Reads what {@link ensureSimulatedPki} made. */
export function readSimulatedPki(cluster: ClusterHome): SimulatedPki {
  const read = (name: string): string => readFileSync(join(cluster.nodePki(simulatedProcess), name), "utf8")
  return {
    ca: readFileSync(cluster.caCertificate, "utf8"),
    client: { cert: read("client.crt"), key: read("client.key") },
  }
}

type Lifetime = Pick<CertificateOptions, "serial" | "notBeforeMs" | "notAfterMs">

function lifetime(env: Env, lifeMs: number): Lifetime {
  const now = env.clock.now()
  return { serial: env.random.bytes(16), notBeforeMs: now - 60_000, notAfterMs: now + lifeMs }
}

/** Makes or renews certificates, each signed by the CA. */
function leavesOf(pairs: Pairs, env: Env, ca: KeyPair) {
  return (name: string, options: Omit<CertificateOptions, keyof Lifetime>): KeyPair =>
    pairs(
      name,
      () => issueCertificate(ca, { ...options, ...lifetime(env, leafLifeMs) }),
      (cert) => isIssued(cert, ca) && covers(cert, options),
    )
}

/** Pairs that are kept in a folder, which is made. */
function pairsIn(dir: string, env: Env): Pairs {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const now = env.clock.now()
  return (name, make, isGood) => {
    const certFile = join(dir, `${name}.crt`)
    const keyFile = join(dir, `${name}.key`)
    if (existsSync(certFile) && existsSync(keyFile)) {
      const pair = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") }
      const cert = new X509Certificate(pair.cert)
      const fits = cert.checkPrivateKey(createPrivateKey(pair.key))
      if (!fits && !isGood)
        throw new UsageError(
          `"${keyFile}" is not the key of the certificate in "${certFile}": put both back as they were together`,
        )
      if (fits && Date.parse(cert.validTo) - now > renewBeforeMs && (isGood?.(cert) ?? true)) return pair
    }
    const pair = make()
    writeAtomically(keyFile, pair.key)
    writeAtomically(certFile, pair.cert, 0o644)
    return pair
  }
}

function isIssued(cert: X509Certificate, ca: KeyPair): boolean {
  return cert.verify(createPublicKey(ca.cert))
}

function covers(
  cert: X509Certificate,
  options: { dnsNames?: readonly string[]; ipAddresses?: readonly string[] },
): boolean {
  return (
    (options.dnsNames ?? []).every((name) => cert.checkHost(name) !== undefined) &&
    (options.ipAddresses ?? []).every((ip) => cert.checkIP(ip) !== undefined)
  )
}
