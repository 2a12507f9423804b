/** Flags of how connections are made. Mirrors: apiserver pkg/server/options/serving.go, component-base cli/flag */
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup, GivenFlags } from "./flag-group.ts"

/** By Go's names, OpenSSL's. */
const ciphers: ReadonlyMap<string, string> = new Map(
  ["ECDSA", "RSA"].flatMap((key) => [
    [`TLS_ECDHE_${key}_WITH_AES_128_GCM_SHA256`, `ECDHE-${key}-AES128-GCM-SHA256`],
    [`TLS_ECDHE_${key}_WITH_AES_256_GCM_SHA384`, `ECDHE-${key}-AES256-GCM-SHA384`],
    [`TLS_ECDHE_${key}_WITH_AES_128_CBC_SHA`, `ECDHE-${key}-AES128-SHA`],
    [`TLS_ECDHE_${key}_WITH_AES_128_CBC_SHA256`, `ECDHE-${key}-AES128-SHA256`],
    [`TLS_ECDHE_${key}_WITH_AES_256_CBC_SHA`, `ECDHE-${key}-AES256-SHA`],
    [`TLS_ECDHE_${key}_WITH_CHACHA20_POLY1305`, `ECDHE-${key}-CHACHA20-POLY1305`],
    [`TLS_ECDHE_${key}_WITH_CHACHA20_POLY1305_SHA256`, `ECDHE-${key}-CHACHA20-POLY1305`],
  ]),
)

/** Of version 1.3; always on, whatever is asked for. */
const latest = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]

export const tlsFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "tls-min-version": "text",
    "tls-cipher-suites": "text",
    "tls-sni-cert-key": "certificate",
    "client-ca-file": "file",
    "http2-max-streams-per-connection": "text",
    "disable-http2-serving": "switch",
  },
  read(given) {
    const minVersion = minVersionOf(given.text("tls-min-version"))
    const suites = given.list("tls-cipher-suites")
    const maxStreams = given.integer("http2-max-streams-per-connection")
    if (maxStreams !== undefined && maxStreams < 0)
      throw new UsageError("--http2-max-streams-per-connection can not be negative value")
    const disabled = given.switch("disable-http2-serving")
    const named = namedOf(given)
    return {
      ...(minVersion || suites
        ? { tls: { minVersion, ...(suites ? { ciphers: [...latest, ...suites.flatMap(cipherOf)] } : {}) } }
        : {}),
      ...(maxStreams || disabled
        ? { http2: { enabled: !disabled, ...(maxStreams ? { maxStreams } : {}) } }
        : {}),
      ...(named ? { namedCertificateFiles: [named] } : {}),
    }
  },
})

function minVersionOf(text: string | undefined): "TLSv1.2" | "TLSv1.3" | undefined {
  if (text === undefined) return undefined
  if (text === "VersionTLS12") return "TLSv1.2"
  if (text === "VersionTLS13") return "TLSv1.3"
  if (text === "VersionTLS10" || text === "VersionTLS11")
    throw new UsageError(`--tls-min-version ${text}: versions below VersionTLS12 are not served`)
  throw new UsageError(`unknown tls version ${JSON.stringify(text)}`)
}

function cipherOf(suite: string): string[] {
  if (latest.includes(suite)) return []
  const cipher = ciphers.get(suite)
  if (cipher === undefined) throw new UsageError(`Cipher suite ${suite} not supported or doesn't exist`)
  return [cipher]
}

/** `CERT,KEY` or `CERT,KEY:NAME,NAME`. Mirrors: component-base cli/flag/namedcertkey_flag.go */
function namedOf(given: GivenFlags): { cert: string; key: string; names?: readonly string[] } | undefined {
  const text = given.text("tls-sni-cert-key")
  if (text === undefined) return undefined
  const wrong = (why: string): UsageError =>
    new UsageError(`invalid argument ${JSON.stringify(text)} for "--tls-sni-cert-key" flag: ${why}`)
  const at = text.indexOf(":")
  const [files, list] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1).trim()]
  if (list === "") throw wrong("empty names list is not allowed")
  const [cert, key, ...more] = files.split(",").map((part) => part.trim())
  if (!cert || !key || more.length > 0) throw wrong("expected comma separated certificate and key file paths")
  return { cert, key, ...(list === undefined ? {} : { names: list.split(",").map((name) => name.trim()) }) }
}
