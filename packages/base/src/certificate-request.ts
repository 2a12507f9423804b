/** Requests for certificates (PKCS #10): who is to be certified, for which key, and whether the key's owner asks. */
import { createPublicKey, verify, type KeyObject } from "node:crypto"
import { tableOf } from "./table.ts"
import { DerError, readAllDer, readDer, readObjectId, readString, type DerElement } from "./der.ts"

/** What a certificate is for beside its subject. */
export interface AlternativeNames {
  readonly dnsNames: readonly string[]
  readonly emailAddresses: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly uris: readonly string[]
}

export interface CertificateRequest {
  /** DER. */
  readonly subject: Buffer
  /** "" when there is none; the last of several. */
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly publicKey: KeyObject
  readonly names: AlternativeNames
  /** Why the signature is not that of the key; undefined when it is. */
  signatureProblem(): string | undefined
}

const digests: Readonly<Record<string, string | null>> = tableOf({
  "1.2.840.10045.4.1": "sha1",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.113549.1.1.5": "sha1",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  // Ed25519 digests on its own.
  "1.3.101.112": null,
})

/** Reads a request in DER. Throws when it is none. */
export function parseCertificateRequest(der: Buffer): CertificateRequest {
  const { element, rest } = readDer(der)
  if (rest.length > 0) throw new DerError("there is more behind the request")
  const [info, algorithm, signature] = sequence(element, 3)
  const [version, subject, key, attributes] = sequence(info!, 3)
  if (version!.tag !== 0x02) throw new DerError("the version is missing")
  const names = readName(subject!)
  if (key!.tag !== 0x30) throw new DerError("the public key is missing")
  const publicKey = createPublicKey({ key: key!.raw, format: "der", type: "spki" })
  if (signature!.tag !== 0x03 || signature!.content[0] !== 0) throw new DerError("the signature is missing")
  const kind = sequence(algorithm!, 1)[0]!
  if (kind.tag !== 0x06) throw new DerError("the algorithm is missing")
  const id = readObjectId(kind.content)
  return {
    ...names,
    subject: subject!.raw,
    publicKey,
    names: attributes ? readAlternativeNames(attributes) : noNames,
    signatureProblem() {
      const digest = digests[id]
      if (digest === undefined) return "x509: cannot verify signature: algorithm unimplemented"
      const type = publicKey.asymmetricKeyType
      const failures: Record<string, string> = {
        ec: "x509: ECDSA verification failure",
        rsa: "crypto/rsa: verification error",
        ed25519: "x509: Ed25519 verification failure",
      }
      const failure = failures[type ?? ""]
      if (failure === undefined) return "x509: cannot verify signature: algorithm unimplemented"
      return isSignedBy(publicKey, digest, info!.raw, signature!.content.subarray(1)) ? undefined : failure
    },
  }
}

function isSignedBy(key: KeyObject, digest: string | null, data: Buffer, signature: Buffer): boolean {
  try {
    return verify(digest, data, key, signature)
  } catch {
    return false
  }
}

/** The common name and the organisations of a distinguished name. */
function readName(name: DerElement): { commonName: string; organizations: string[] } {
  let commonName = ""
  const organizations: string[] = []
  if (name.tag !== 0x30) throw new DerError("the subject is missing")
  for (const set of readAllDer(name.content)) {
    for (const attribute of readAllDer(set.content)) {
      const [type, value] = sequence(attribute, 2)
      if (type!.tag !== 0x06) throw new DerError("an attribute of the subject has no type")
      const text = readString(value!)
      if (text === undefined) continue
      const id = readObjectId(type!.content)
      if (id === "2.5.4.3") commonName = text
      else if (id === "2.5.4.10") organizations.push(text)
    }
  }
  return { commonName, organizations }
}

const noNames: AlternativeNames = { dnsNames: [], emailAddresses: [], ipAddresses: [], uris: [] }
const extensionRequest = "1.2.840.113549.1.9.14"
const subjectAltName = "2.5.29.17"

/** Those that the attributes of a request ask for. */
function readAlternativeNames(attributes: DerElement): AlternativeNames {
  const out = {
    dnsNames: [] as string[],
    emailAddresses: [] as string[],
    ipAddresses: [] as string[],
    uris: [] as string[],
  }
  if (attributes.tag !== 0xa0) return out
  for (const attribute of readAllDer(attributes.content)) {
    const [type, values] = sequence(attribute, 2)
    if (type!.tag !== 0x06 || readObjectId(type!.content) !== extensionRequest) continue
    for (const list of readAllDer(values!.content))
      for (const extension of sequence(list, 0)) {
        const parts = sequence(extension, 2)
        const value = parts.at(-1)!
        if (parts[0]!.tag !== 0x06 || readObjectId(parts[0]!.content) !== subjectAltName) continue
        if (value.tag !== 0x04) throw new DerError("an extension has no value")
        for (const { tag, content } of sequence(readDer(value.content).element, 0)) {
          if (tag === 0x81) out.emailAddresses.push(content.toString("latin1"))
          else if (tag === 0x82) out.dnsNames.push(content.toString("latin1"))
          else if (tag === 0x86) out.uris.push(content.toString("latin1"))
          else if (tag === 0x87) out.ipAddresses.push(readAddress(content))
        }
      }
  }
  return out
}

function readAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".")
  if (bytes.length !== 16) throw new Error(`x509: cannot parse IP address of length ${bytes.length}`)
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16)).join(":")
}

/** The parts of a sequence that has at least `count` of them. */
function sequence(element: DerElement, count: number): DerElement[] {
  if (element.tag !== 0x30) throw new DerError("a sequence is missing")
  const parts = readAllDer(element.content)
  if (parts.length < count) throw new DerError("a sequence is too short")
  return parts
}

/** One block of a PEM text. */
export interface PemBlock {
  readonly type: string
  /** Lines of the form `Name: value` before the content. */
  readonly headers: readonly string[]
  readonly bytes: Buffer
}

const beginMark = "-----BEGIN "
const endMark = "-----"

/** The blocks of a PEM text, in order; text between them, and blocks without an end, are passed over. */
export function readPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = []
  let type: string | undefined
  let headers: string[] = []
  let body: string[] = []
  for (const raw of text.split("\n")) {
    const line = raw.trimEnd()
    if (
      line.startsWith(beginMark) &&
      line.endsWith(endMark) &&
      line.length > beginMark.length + endMark.length
    ) {
      type = line.slice(beginMark.length, -endMark.length)
      headers = []
      body = []
    } else if (type !== undefined && line === `-----END ${type}-----`) {
      const base64 = body.join("")
      if (/^[A-Za-z0-9+/]*={0,2}$/.test(base64) && base64.length % 4 === 0)
        blocks.push({ type, headers, bytes: Buffer.from(base64, "base64") })
      type = undefined
    } else if (type !== undefined) {
      if (line.includes(":")) headers.push(line)
      else body.push(line.trim())
    }
  }
  return blocks
}
