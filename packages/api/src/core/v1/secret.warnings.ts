/** What users should know about a secret that is accepted: a key pair that is none. Mirrors: pkg/registry/core/secret/strategy.go */
import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto"
import type { Secret } from "./types.gen.ts"

/** Says what Go's crypto/tls says of a `kubernetes.io/tls` secret whose key is not its certificate's. */
export function secretWarnings({ type, data = {} }: Readonly<Secret>): string[] {
  if (type !== "kubernetes.io/tls") return []
  const problem = keyPairProblem(textOf(data["tls.crt"]), textOf(data["tls.key"]))
  return problem === undefined ? [] : [problem]
}

function textOf(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString("latin1")
}

interface Block {
  readonly type: string
  readonly text: string
}

const blockPattern = /-----BEGIN ([^\n-]*)-----[ \t\r]*\n(?:[^-]*)-----END \1-----/g

function blocksOf(text: string): Block[] {
  return [...text.matchAll(blockPattern)].map(([all, type = ""]) => ({ type, text: all }))
}

function keyPairProblem(certificateText: string, keyText: string): string | undefined {
  const certificates = blocksOf(certificateText)
  const leaf = certificates.find(({ type }) => type === "CERTIFICATE")
  const isKey = ({ type }: Block): boolean => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY")
  const types = (blocks: readonly Block[]): string => `[${blocks.map(({ type }) => type).join(" ")}]`
  if (!leaf) {
    const [first, ...others] = certificates
    if (!first) return "tls: failed to find any PEM data in certificate input"
    if (others.length === 0 && first.type.endsWith("PRIVATE KEY"))
      return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: ${types(certificates)}`
  }
  const keys = blocksOf(keyText)
  const key = keys.find(isKey)
  if (!key) {
    const [first, ...others] = keys
    if (!first) return "tls: failed to find any PEM data in key input"
    if (others.length === 0 && first.type === "CERTIFICATE")
      return "tls: found a certificate rather than a key in the PEM for the private key"
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: ${types(keys)}`
  }
  const certificate = certificateOf(leaf.text)
  if (!certificate) return "x509: malformed certificate"
  const privateKey = privateKeyOf(key.text)
  if (!privateKey) return "tls: failed to parse private key"
  if (certificate.publicKey.asymmetricKeyType !== privateKey.asymmetricKeyType)
    return "tls: private key type does not match public key type"
  return certificate.checkPrivateKey(privateKey) ? undefined : "tls: private key does not match public key"
}

function certificateOf(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(text)
  } catch {
    return undefined
  }
}

function privateKeyOf(text: string): KeyObject | undefined {
  try {
    return createPrivateKey(text)
  } catch {
    return undefined
  }
}
