/** Private keys of the types that pods can ask for. Mirrors: pkg/kubelet/podcertificate/podcertificatemanager.go */
import { generateKeyPair, type KeyObject } from "node:crypto"
import { promisify } from "node:util"

const generate = promisify(generateKeyPair)

/** Throws for a type that is none. Long keys are made beside the event loop. */
export async function generateKey(type: string): Promise<KeyObject> {
  switch (type) {
    case "RSA3072":
      return (await generate("rsa", { modulusLength: 3072 })).privateKey
    case "RSA4096":
      return (await generate("rsa", { modulusLength: 4096 })).privateKey
    case "ECDSAP256":
      return (await generate("ec", { namedCurve: "P-256" })).privateKey
    case "ECDSAP384":
      return (await generate("ec", { namedCurve: "P-384" })).privateKey
    case "ECDSAP521":
      return (await generate("ec", { namedCurve: "P-521" })).privateKey
    case "ED25519":
      return (await generate("ed25519")).privateKey
    default:
      throw new Error(`unsupported key type: ${type}`)
  }
}
