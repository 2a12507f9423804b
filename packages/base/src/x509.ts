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
import type { AlternativeNames, CertificateRequest } from "./certificate-request.ts"
import {
  bitString,
  boolean,
  contextPrimitive,
  integer,
  objectId,
  octetString,
  sequence,
  tlv,
} from "./der-write.ts"

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
  ecdsaWithSha384: "1.2.840.10045.4.3.3",
  ecdsaWithSha512: "1.2.840.10045.4.3.4",
  ed25519: "1.3.101.112",
  rsaWithSha256: "1.2.840.113549.1.1.11",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extKeyUsage: "2.5.29.37",
  subjectAltName: "2.5.29.17",
  subjectKeyId: "2.5.29.14",
  authorityKeyId: "2.5.29.35",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  extensionRequest: "1.2.840.113549.1.9.14",
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
  const name = distinguishedName(options.subject)
  return { cert: build({ ...options, publicKey }, name, name, privateKey, extensions), key }
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
  extensions.push(...alternativeNames(options))
  const subject = distinguishedName(options.subject)
  return { cert: build({ ...options, publicKey }, subject, subjectOf(ca.cert), caKey, extensions), key }
}

/** What somebody else's request is certified for. */
export interface RequestedCertificateOptions extends Lifetime {
  /** Bits of the key usage: 0 is a digital signature, 8 only to decipher. */
  readonly keyUsageBits: readonly number[]
  /** Object identifiers. */
  readonly extendedKeyUsages: readonly string[]
}

/**
 * Signs what is asked for: the subject and the names as they are, nothing else of the request. PEM. Whether it may be
 * signed, and whether the request is its key's, the caller has seen to.
 */
export function certifyRequest(
  ca: KeyPair,
  request: CertificateRequest,
  options: RequestedCertificateOptions,
): string {
  const caKey = createPrivateKey(ca.key)
  const { keyUsageBits: bits, extendedKeyUsages } = options
  const usages = sequence(...extendedKeyUsages.map(objectId))
  const extensions = [
    ...(bits.length > 0 ? [extension(oid.keyUsage, true, namedBits(bits))] : []),
    ...(extendedKeyUsages.length > 0 ? [extension(oid.extKeyUsage, false, usages)] : []),
    extension(oid.basicConstraints, true, sequence()),
    extension(oid.authorityKeyId, false, sequence(contextPrimitive(0, keyIdOf(createPublicKey(caKey))))),
    ...alternativeNames(request.names),
  ]
  const { publicKey, subject } = request
  return build({ ...options, publicKey }, subject, subjectOf(ca.cert), caKey, extensions)
}

function namedBits(bits: readonly number[]): Buffer {
  const bytes = Buffer.alloc((Math.max(...bits) >> 3) + 1)
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7)
  return bitString(bytes, 7 - (Math.max(...bits) & 7))
}

function alternativeNames(names: Partial<AlternativeNames>): Buffer[] {
  const text = (tag: number, value: string): Buffer => contextPrimitive(tag, Buffer.from(value, "latin1"))
  const all = [
    ...(names.dnsNames ?? []).map((name) => text(2, name)),
    ...(names.emailAddresses ?? []).map((name) => text(1, name)),
    ...(names.ipAddresses ?? []).map((ip) => contextPrimitive(7, ipBytes(ip))),
    ...(names.uris ?? []).map((name) => text(6, name)),
  ]
  return all.length > 0 ? [extension(oid.subjectAltName, false, sequence(...all))] : []
}

/** A request (PKCS #10, PEM) for a certificate for the key, a PKCS #8 PEM, and for names beside the subject's. */
export function createCertificateRequest(
  subject: Subject,
  key: string,
  names: Partial<AlternativeNames> = {},
): string {
  const asked = alternativeNames(names)
  const attributes = asked.map((one) => sequence(objectId(oid.extensionRequest), tlv(0x31, sequence(one))))
  return writePem(
    "CERTIFICATE REQUEST",
    certificateRequest(distinguishedName(subject), createPrivateKey(key), attributes),
  )
}

/** A request (PKCS #10, DER) that names nobody: it proves that whoever asks has the key. */
export function createKeyProof(key: KeyObject): Buffer {
  return certificateRequest(sequence(), key, [])
}

function certificateRequest(subject: Buffer, key: KeyObject, attributes: readonly Buffer[]): Buffer {
  const info = sequence(
    integer(Buffer.from([0])),
    subject,
    createPublicKey(key).export({ type: "spki", format: "der" }),
    tlv(0xa0, ...attributes),
  )
  const { identifier, digest } = algorithmOf(key)
  return sequence(info, identifier, bitString(sign(digest, info, key), 0))
}

/** What a key signs with; `digest` is null where the algorithm digests on its own. */
function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): {
  readonly identifier: Buffer
  readonly digest: string | null
} {
  switch (asymmetricKeyType) {
    case "rsa":
      return { identifier: sequence(objectId(oid.rsaWithSha256), Buffer.from([5, 0])), digest: "sha256" }
    case "ed25519":
      return { identifier: sequence(objectId(oid.ed25519)), digest: null }
  }
  switch (asymmetricKeyDetails?.namedCurve) {
    case "secp384r1":
      return { identifier: sequence(objectId(oid.ecdsaWithSha384)), digest: "sha384" }
    case "secp521r1":
      return { identifier: sequence(objectId(oid.ecdsaWithSha512)), digest: "sha512" }
    default:
      return { identifier: sequence(objectId(oid.ecdsaWithSha256)), digest: "sha256" }
  }
}

/** One block of PEM. */
export function writePem(type: string, der: Buffer): string {
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n")
  return `-----BEGIN ${type}-----\n${lines}\n-----END ${type}-----\n`
}

type Lifetime = Pick<CertificateOptions, "serial" | "notBeforeMs" | "notAfterMs">

function build(
  options: Lifetime & { readonly publicKey: KeyObject },
  subject: Buffer,
  issuer: Buffer,
  signer: KeyObject,
  extensions: readonly Buffer[],
): string {
  const { identifier, digest } = algorithmOf(signer)
  const tbs = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(options.serial),
    identifier,
    issuer,
    sequence(time(options.notBeforeMs), time(options.notAfterMs)),
    subject,
    options.publicKey.export({ type: "spki", format: "der" }),
    tlv(0xa3, sequence(...extensions)),
  )
  const der = sequence(tbs, identifier, bitString(sign(digest, tbs, signer), 0))
  return writePem("CERTIFICATE", der)
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
