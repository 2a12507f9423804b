/**
 * `/flagz` and `/statusz`: how a server was started and since when it runs, as text for people, or as a document for who asks
 * for one. Mirrors: apiserver pkg/server/flagz, pkg/server/statusz
 */
import { formatTime, notAcceptable } from "@knarr/apimachinery"
import type { Clock } from "@knarr/base"
import type { Exchange } from "../contract.ts"
import { builtInEncodings } from "../encoding/encodings.ts"
import { acceptOf, negotiate } from "./accept.ts"
import type { Handler } from "./filters.ts"

const group = "config.k8s.io"
const version = "v1beta1"
const textType = "text/plain"
const offered = ["application/json", "application/yaml", textType]
const warning =
  "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only."

interface Page {
  readonly kind: "Flagz" | "Statusz"
  /** What stands behind the type and the name of the document. */
  fields(): Readonly<Record<string, unknown>>
  lines(): readonly string[]
}

export interface ZPagesOptions {
  readonly clock: Clock
  /** The name of the program: `kube-apiserver`. */
  readonly component: string
  /** With which flags it was started, without secrets. */
  readonly flags: Readonly<Record<string, string>>
  readonly programVersion: string
  /** Where else one can look. */
  paths(): readonly string[]
}

/** The handlers, by path. */
export function zPages(options: ZPagesOptions): ReadonlyMap<string, Handler> {
  return new Map([
    ["/flagz", handler(flagz(options), options.component)],
    ["/statusz", handler(statusz(options), options.component)],
  ])
}

function flagz({ flags }: ZPagesOptions): Page {
  return {
    kind: "Flagz",
    fields: () => ({ flags }),
    lines: () =>
      Object.keys(flags)
        .sort()
        .map((name) => `${name}=${flags[name]}`),
  }
}

/** The first parts of paths under which there is nothing to look at. */
const served = new Set(["apis", "api", "openid", "openapi", ".well-known"])

function statusz({ clock, programVersion, paths }: ZPagesOptions): Page {
  const startedAt = clock.now() - process.uptime() * 1000
  const facts = (): {
    startTime: string
    uptimeSeconds: number
    goVersion: string
    binaryVersion: string
    emulationVersion: string
    paths: string[]
  } => ({
    startTime: formatTime(startedAt),
    uptimeSeconds: Math.floor((clock.now() - startedAt) / 1000),
    goVersion: `node${process.versions.node}`,
    binaryVersion: programVersion,
    emulationVersion: programVersion.split(".").slice(0, 2).join("."),
    paths: paths().filter((path) => !served.has(path.split("/")[1]!)),
  })
  return {
    kind: "Statusz",
    fields: facts,
    lines() {
      const { startTime, uptimeSeconds, goVersion, binaryVersion, emulationVersion, paths: others } = facts()
      return [
        "",
        `Started: ${startTime}`,
        `Up: ${uptimeSeconds}s`,
        `Go version: ${goVersion}`,
        `Binary version: ${binaryVersion}`,
        `Emulation version: ${emulationVersion}`,
        `Paths: ${others.join(" ")}`,
      ]
    },
  }
}

function handler(page: Page, component: string): Handler {
  const { kind } = page
  const respondText = (exchange: Exchange): void =>
    exchange.respond(
      200,
      `${textType}; charset=utf-8`,
      ["", `${component} ${kind.toLowerCase()}`, warning, ...page.lines(), ""].join("\n"),
    )
  return (exchange) => {
    const accept = acceptOf(exchange)
    if (accept.trim() === "") return respondText(exchange)
    const found = negotiate(
      accept,
      ({ params }, type) =>
        type === textType
          ? !params.has("as")
          : params.get("as") === kind && params.get("g") === group && params.get("v") === version,
      offered,
    )
    if (!found) throw notAcceptable(offered)
    if (found.type === textType) return respondText(exchange)
    const type = { kind, apiVersion: `${group}/${version}` }
    const content = { ...type, metadata: { name: component }, ...page.fields() }
    const encoding = builtInEncodings.of(found.type, exchange)
    exchange.respond(200, encoding.mediaType, encoding.document(content, type))
  }
}
