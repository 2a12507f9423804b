/**
 * X.509 certificates: a certificate authority and what it signs, written as DER by hand on `node:crypto` (a
 * certificate costs ~90 µs and no import). Parsing is `node:crypto`'s `X509Certificate`.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type KeyObject,
} from "node:crypto"

/** A certificate and its private key, PEM encoded (the key as PKCS #8). */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export interface Subject {
  readonly commonName: string
  readonly organizations?: readonly string[]
}

export interface CertificateOptions {
  readonly subject: Subject
  /** 16 to 20 random bytes. */
  readonly serial: Uint8Array
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly usages?: readonly ("serverAuth" | "clientAuth")[]
  /** The key to certify; default: a new P-256 key. */
  readonly publicKey?: KeyObject
}

const oid = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  rsaWithSha256: "1.2.840.113549.1.1.11",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extKeyUsage: "2.5.29.37",
  subjectAltName: "2.5.29.17",
  subjectKeyId: "2.5.29.14",
  authorityKeyId: "2.5.29.35",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
}

/** A new P-256 private key as PKCS #8 PEM. */
export function createPrivateKeyPem(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string
}

/** A self-signed certificate authority. */
export function createCA(
  options: Pick<CertificateOptions, "subject" | "serial" | "notBeforeMs" | "notAfterMs">,
): KeyPair {
  const key = createPrivateKeyPem()
  const privateKey = createPrivateKey(key)
  const publicKey = createPublicKey(privateKey)
  const keyId = keyIdOf(publicKey)
  const extensions = [
    extension(oid.keyUsage, true, bitString(Buffer.from([0xa4]), 2)),
    extension(oid.basicConstraints, true, sequence(boolean(true))),
    extension(oid.subjectKeyId, false, octetString(keyId)),
  ]
  const issuer = distinguishedName(options.subject)
  return { cert: build({ ...options, publicKey }, issuer, privateKey, extensions), key }
}

/** A certificate signed by `ca`. Without `publicKey` a key is made; with it, `key` in the answer is empty. */
export function issueCertificate(ca: KeyPair, options: CertificateOptions): KeyPair {
  const key = options.publicKey ? "" : createPrivateKeyPem()
  const publicKey = options.publicKey ?? createPublicKey(createPrivateKey(key))
  const caKey = createPrivateKey(ca.key)
  const extensions = [
    extension(oid.keyUsage, true, bitString(Buffer.from([0xa0]), 5)),
    extension(oid.basicConstraints, true, sequence()),
    extension(oid.authorityKeyId, false, sequence(contextPrimitive(0, keyIdOf(createPublicKey(caKey))))),
  ]
  if (options.usages?.length) {
    extensions.push(
      extension(oid.extKeyUsage, false, sequence(...options.usages.map((u) => objectId(oid[u])))),
    )
  }
  const names = [
    ...(options.dnsNames ?? []).map((name) => contextPrimitive(2, Buffer.from(name, "ascii"))),
    ...(options.ipAddresses ?? []).map((ip) => contextPrimitive(7, ipBytes(ip))),
  ]
  if (names.length > 0) extensions.push(extension(oid.subjectAltName, false, sequence(...names)))
  const issuer = subjectOf(ca.cert)
  return { cert: build({ ...options, publicKey }, issuer, caKey, extensions), key }
}

/** A request (PKCS #10, PEM) for a certificate for the key, a PKCS #8 PEM. */
export function createCertificateRequest(subject: Subject, key: string): string {
  const privateKey = createPrivateKey(key)
  const info = sequence(
    integer(Buffer.from([0])),
    distinguishedName(subject),
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
    tlv(0xa0),
  )
  const der = sequence(info, algorithmOf(privateKey), bitString(sign("sha256", info, privateKey), 0))
  return pem("CERTIFICATE REQUEST", der)
}

function algorithmOf(signer: KeyObject): Buffer {
  return signer.asymmetricKeyType === "rsa"
    ? sequence(objectId(oid.rsaWithSha256), Buffer.from([5, 0]))
    : sequence(objectId(oid.ecdsaWithSha256))
}

function pem(type: string, der: Buffer): string {
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n")
  return `-----BEGIN ${type}-----\n${lines}\n-----END ${type}-----\n`
}

function build(
  options: CertificateOptions & { publicKey: KeyObject },
  issuer: Buffer,
  signer: KeyObject,
  extensions: readonly Buffer[],
): string {
  const algorithm = algorithmOf(signer)
  const tbs = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(options.serial),
    algorithm,
    issuer,
    sequence(time(options.notBeforeMs), time(options.notAfterMs)),
    distinguishedName(options.subject),
    options.publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(...extensions)),
  )
  const der = sequence(tbs, algorithm, bitString(sign("sha256", tbs, signer), 0))
  return pem("CERTIFICATE", der)
}

/** The raw subject of a certificate: the issuer field must repeat it byte for byte. */
function subjectOf(pem: string): Buffer {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64")
  let at = header(der, header(der, 0).start).start
  for (let i = 0; i < 5; i++) at = header(der, at).end
  return der.subarray(at, header(der, at).end)
}

function header(der: Buffer, at: number): { start: number; end: number } {
  let length = der[at + 1]!
  let start = at + 2
  if (length & 0x80) {
    const bytes = length & 0x7f
    length = der.readUIntBE(start, bytes)
    start += bytes
  }
  return { start, end: start + length }
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash("sha1")
    .update(key.export({ type: "spki", format: "der" }))
    .digest()
}

// ── DER ──

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(head), ...parts])
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts)
const octetString = (bytes: Uint8Array): Buffer => tlv(0x04, bytes)
const bitString = (bytes: Uint8Array, unused: number): Buffer => tlv(0x03, Buffer.from([unused]), bytes)
const boolean = (value: boolean): Buffer => tlv(0x01, Buffer.from([value ? 0xff : 0]))
const contextPrimitive = (tag: number, bytes: Uint8Array): Buffer => tlv(0x80 | tag, bytes)

/** A number that is not negative, in as few bytes as DER demands. */
function integer(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.subarray(start)
  return digits[0]! & 0x80 ? tlv(0x02, Buffer.from([0]), digits) : tlv(0x02, digits)
}

function objectId(text: string): Buffer {
  const [first, second, ...rest] = text.split(".").map(Number) as [number, number, ...number[]]
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80)
    bytes.push(...groups)
  }
  return tlv(0x06, Buffer.from(bytes))
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return critical
    ? sequence(objectId(id), boolean(true), octetString(value))
    : sequence(objectId(id), octetString(value))
}

function distinguishedName(subject: Subject): Buffer {
  const part = (id: string, text: string): Buffer =>
    tlv(0x31, sequence(objectId(id), tlv(0x0c, Buffer.from(text))))
  return sequence(
    ...(subject.organizations ?? []).map((o) => part(oid.organization, o)),
    part(oid.commonName, subject.commonName),
  )
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "")
  return ms < Date.UTC(2050, 0) ? tlv(0x17, Buffer.from(digits.slice(2))) : tlv(0x18, Buffer.from(digits))
}

function ipBytes(ip: string): Buffer {
  if (!ip.includes(":")) return Buffer.from(ip.split(".").map(Number))
  const [head, tail] = ip.split("::") as [string, string | undefined]
  const groups = (text: string | undefined): string[] => (text ? text.split(":") : [])
  const left = groups(head)
  const right = groups(tail)
  const all =
    tail === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill("0"), ...right]
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex")
}
