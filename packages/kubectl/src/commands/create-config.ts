/** `kubectl create configmap|secret`. Mirrors: kubectl pkg/cmd/create/create_configmap.go, create_secret.go */
import { readFile, readdir, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { goQuote, isConfigMapKey, isEnvVarName } from "@knarr/apimachinery"
import { createHash } from "node:crypto"
import type { CommandContext, KubectlCommand } from "../command.ts"
import { flag, type FlagSpec } from "../flags.ts"
import { userPath } from "../files/sources.ts"
import type { Obj } from "../object.ts"
import { compactJson } from "../printers/json.ts"
import { generator } from "./create-object.ts"

const sourceFlags: readonly FlagSpec[] = [
  flag.array("from-env-file", "Specify the path to a file to read lines of key=val pairs to create."),
  flag.csv(
    "from-file",
    "Key file can be specified using its file path, in which case file basename will be used as key, or optionally with a key and file path, in which case the given key will be used.",
  ),
  flag.array("from-literal", "Specify a key and literal value to insert (i.e. mykey=somevalue)"),
  flag.bool("append-hash", "Append a hash to its name."),
]

type Entries = Map<string, Buffer>

async function entriesOf(ctx: CommandContext): Promise<Entries> {
  const { flags } = ctx
  const out: Entries = new Map()
  const envFiles = flags.list("from-env-file")
  if (envFiles.length > 0 && (flags.list("from-file").length > 0 || flags.list("from-literal").length > 0)) {
    throw new Error("from-env-file cannot be combined with from-file or from-literal")
  }
  for (const source of flags.list("from-file")) await addFile(ctx, out, source)
  for (const literal of flags.list("from-literal")) {
    const equals = literal.indexOf("=")
    if (equals <= 0) throw new Error(`invalid literal source ${literal}, expected key=value`)
    add(out, literal.slice(0, equals), Buffer.from(literal.slice(equals + 1)))
  }
  for (const file of envFiles) await addEnvFile(ctx, out, file)
  return out
}

function add(out: Entries, key: string, value: Buffer): void {
  const problems = isConfigMapKey(key)
  if (problems.length > 0)
    throw new Error(`${goQuote(key)} is not a valid key name for a ConfigMap: ${problems.join(",")}`)
  if (out.has(key))
    throw new Error(
      `cannot add key ${goQuote(key)}, another key by that name already exists in Data for ConfigMap ""`,
    )
  out.set(key, value)
}

async function addFile(ctx: CommandContext, out: Entries, source: string): Promise<void> {
  const parts = source.split("=")
  if (parts.length > 2) throw new Error("key names or file paths cannot contain '='")
  if (parts.length === 2 && parts[0] === "") throw new Error(`key name for file path ${parts[1]} missing`)
  if (parts.length === 2 && parts[1] === "") throw new Error(`file path for key name ${parts[0]} missing`)
  const path = parts.at(-1)!
  const real = userPath(ctx, path)
  let info
  try {
    info = await stat(real)
  } catch (cause) {
    throw new Error(`error reading ${path}: no such file or directory`, { cause })
  }
  if (!info.isDirectory()) {
    add(out, parts.length === 2 ? parts[0]! : basename(path), await readFile(real))
    return
  }
  if (parts.length === 2) throw new Error("cannot give a key name for a directory path")
  const entries = (await readdir(real, { withFileTypes: true })).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )
  for (const entry of entries)
    if (entry.isFile()) add(out, entry.name, await readFile(join(real, entry.name)))
}

async function addEnvFile(ctx: CommandContext, out: Entries, file: string): Promise<void> {
  const text = await readFile(userPath(ctx, file), "utf8")
  text
    .replace(/^\ufeff/, "")
    .split(/\r?\n/)
    .forEach((raw, i) => {
      const line = raw.trimStart()
      if (line === "" || line.startsWith("#")) return
      const equals = line.indexOf("=")
      const key = equals < 0 ? line : line.slice(0, equals)
      const problems = isEnvVarName(key)
      if (problems.length > 0) {
        throw new Error(
          `error parsing env file ${file}:${i + 1}: ${goQuote(key)} is not a valid key name: ${problems.join(",")}`,
        )
      }
      const value = equals < 0 ? (ctx.io.env[key] ?? "") : line.slice(equals + 1)
      if (equals >= 0 || ctx.io.env[key] !== undefined) add(out, key, Buffer.from(value))
    })
}

function sorted(entries: Entries): [string, Buffer][] {
  return [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function hashOf(value: Obj): string {
  const hex = createHash("sha256").update(compactJson(value)).digest("hex").slice(0, 10)
  const letters: Readonly<Record<string, string>> = { "0": "g", "1": "h", "3": "k", a: "m", e: "t" }
  return hex.replace(/[013ae]/g, (char) => letters[char]!)
}

export const createConfigMap: KubectlCommand = generator({
  name: "configmap",
  failure: "failed to create configmap: ",
  aliases: ["cm"],
  summary: "Create a config map from a local file, directory or literal value",
  usage: "NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
  flags: sourceFlags,
  make: async (ctx, name) => {
    const data: Record<string, string> = {}
    const binaryData: Record<string, string> = {}
    for (const [key, value] of sorted(await entriesOf(ctx))) {
      const text = value.toString("utf8")
      if (Buffer.from(text).equals(value)) data[key] = text
      else binaryData[key] = value.toString("base64")
    }
    const suffix = ctx.flags.bool("append-hash")
      ? `-${hashOf({ kind: "ConfigMap", name, data, ...(Object.keys(binaryData).length > 0 ? { binaryData } : {}) })}`
      : ""
    return {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: name + suffix },
      ...(Object.keys(data).length > 0 ? { data } : {}),
      ...(Object.keys(binaryData).length > 0 ? { binaryData } : {}),
    }
  },
})

function secretOf(ctx: CommandContext, name: string, type: string, data: Record<string, string>): Obj {
  const suffix = ctx.flags.bool("append-hash") ? `-${hashOf({ kind: "Secret", type, name, data })}` : ""
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: name + suffix },
    ...(Object.keys(data).length > 0 ? { data } : {}),
    ...(type ? { type } : {}),
  }
}

const hashFlag = flag.bool("append-hash", "Append a hash to its name.")

const generic = generator({
  name: "generic",
  failure: "failed to create secret ",
  summary: "Create a secret from a local file, directory, or literal value",
  usage:
    "NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
  flags: [...sourceFlags, flag.text("type", "The type of secret to create")],
  make: async (ctx, name) => {
    const data: Record<string, string> = {}
    for (const [key, value] of sorted(await entriesOf(ctx))) data[key] = value.toString("base64")
    return secretOf(ctx, name, ctx.flags.text("type"), data)
  },
})

const tls = generator({
  name: "tls",
  failure: "failed to create secret ",
  summary: "Create a TLS secret",
  usage: "NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]",
  flags: [
    hashFlag,
    flag.text("cert", "Path to PEM encoded public key certificate."),
    flag.text("key", "Path to private key associated with given certificate."),
  ],
  make: async (ctx, name) => {
    const { flags } = ctx
    if (!flags.text("key") || !flags.text("cert")) throw new Error("key and cert must be specified")
    const read = async (path: string): Promise<string> => {
      try {
        return (await readFile(userPath(ctx, path))).toString("base64")
      } catch (cause) {
        throw new Error(`open ${path}: no such file or directory`, { cause })
      }
    }
    const data = { "tls.crt": await read(flags.text("cert")), "tls.key": await read(flags.text("key")) }
    return secretOf(ctx, name, "kubernetes.io/tls", data)
  },
})

const dockerRegistry = generator({
  name: "docker-registry",
  failure: "failed to create secret ",
  summary: "Create a secret for use with a Docker registry",
  usage:
    "NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string] [--from-file=[key=]source] [--dry-run=server|client|none]",
  flags: [
    hashFlag,
    flag.text("docker-username", "Username for Docker registry authentication"),
    flag.text("docker-password", "Password for Docker registry authentication"),
    flag.text("docker-email", "Email for Docker registry"),
    flag.text("docker-server", {
      default: "https://index.docker.io/v1/",
      help: "Server location for Docker registry",
    }),
    flag.csv("from-file", "Key files can be specified using their file path."),
  ],
  make: async (ctx, name) => {
    const { flags } = ctx
    let config: Buffer
    if (flags.list("from-file").length > 0) {
      config = await readFile(userPath(ctx, flags.list("from-file")[0]!.split("=").at(-1)!))
    } else {
      const username = flags.text("docker-username")
      const password = flags.text("docker-password")
      if (!username || !password) {
        throw new Error(
          "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
        )
      }
      const email = flags.text("docker-email")
      const auth = Buffer.from(`${username}:${password}`).toString("base64")
      const entry = { username, password, ...(email ? { email } : {}), auth }
      config = Buffer.from(JSON.stringify({ auths: { [flags.text("docker-server")]: entry } }))
    }
    return secretOf(ctx, name, "kubernetes.io/dockerconfigjson", {
      ".dockerconfigjson": config.toString("base64"),
    })
  },
})

export const createSecret: KubectlCommand = {
  name: "secret",
  summary: "Create a secret using a specified subcommand",
  usage: "(docker-registry | generic | tls)",
  subcommands: [dockerRegistry, generic, tls],
}
