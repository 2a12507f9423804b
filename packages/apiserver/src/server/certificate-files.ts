/**
 * Certificates in files, read again when they change: new connections are served with what is there then. What cannot be used
 * is told, and the old ones stay. Mirrors: apiserver pkg/server/dynamiccertificates
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import type { Env, Scope } from "@knarr/base"
import type { ServingCertificates } from "./listener.ts"

export interface CertificateFiles {
  /** With the certificates of its authorities behind it. */
  readonly cert: string
  readonly key: string
  /** Of the authorities of client certificates; default: those that the server has anyway. */
  readonly clientCA?: string | readonly string[] | undefined
}

const lookMs = 10_000

/** The certificates in the files. Rejects when they do not fit together. */
export async function readCertificates(files: CertificateFiles): Promise<ServingCertificates> {
  const [cert, key, clientCA] = await Promise.all([
    readFile(files.cert, "utf8"),
    readFile(files.key, "utf8"),
    files.clientCA === undefined ? undefined : readAll([files.clientCA].flat()),
  ])
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error(`the key in ${files.key} is not that of the certificate in ${files.cert}`)
  return { cert, key, ...(clientCA === undefined ? {} : { clientCA }) }
}

/** The names that a certificate is for. */
export function dnsNamesOf(cert: string): string[] {
  const names = new X509Certificate(cert).subjectAltName?.split(", ") ?? []
  return names.flatMap((name) => (name.startsWith("DNS:") ? name.slice("DNS:".length) : []))
}

/** Each of the files has certificates. */
async function readAll(files: readonly string[]): Promise<string> {
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")))
  for (const text of texts) void new X509Certificate(text)
  return texts.join("\n")
}

/** Calls `changed` with what is in the files whenever that differs from `present`. Ends with the scope. */
export function followCertificates(
  files: CertificateFiles,
  present: ServingCertificates,
  { clock, log }: Pick<Env, "clock" | "log">,
  scope: Scope,
  changed: (certificates: ServingCertificates) => void,
): void {
  let last = JSON.stringify(present)
  scope.run(
    "certificates in files",
    async (signal) => {
      for (;;) {
        await clock.sleep(lookMs, signal)
        try {
          const next = await readCertificates(files)
          const text = JSON.stringify(next)
          if (text === last) continue
          changed(next)
          last = text
          log.info("The serving certificates have changed", { cert: files.cert })
        } catch (thrown) {
          log.error("The certificates cannot be read again", thrown, { cert: files.cert })
        }
      }
    },
    { restart: true },
  )
}
