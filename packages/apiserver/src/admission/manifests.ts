/**
 * Policies and webhooks from files, which nobody changes through the API: they stand before those of the API, and judge what
 * configures admission, too. The folder is read again when it changes; what is wrong with it then is told, and what was
 * there before stays.
 * Mirrors: apiserver pkg/admission/plugin/{manifest,webhook/manifest,policy/manifest}
 */
import { createHash } from "node:crypto"
import { readdir, readFile, stat } from "node:fs/promises"
import { extname, isAbsolute, join } from "node:path"
import {
  aggregateMessage,
  field,
  fieldErrorMessage,
  goQuote,
  type Kind,
  type KubeObject,
  loadYaml,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { AdmissionDeps } from "../contract.ts"

const suffix = ".static.k8s.io"
const uidPrefix = "manifest/"
const lookMs = 60_000

interface Document {
  readonly file: string
  readonly content: unknown
}

/** What is in a folder, as it was read. */
export interface Manifests {
  readonly dir: string
  readonly documents: readonly Document[]
  readonly hash: string
}

/** Checks what only files must keep to; throws for what does not. */
export type ManifestRule = (object: Readonly<KubeObject>, file: string) => void

type Objects = ReadonlyMap<Kind, readonly KubeObject[]>

/** Whether an object is one of a file. */
export function isFromFile({ metadata }: Readonly<KubeObject>): boolean {
  return metadata.uid?.startsWith(uidPrefix) ?? false
}

/** Undefined when no folder is named. Rejects for one that cannot be read. */
export async function readManifests(staticManifestsDir: string | undefined): Promise<Manifests | undefined> {
  if (!staticManifestsDir) return undefined
  const wrong = (why: string): Error =>
    new Error(fieldErrorMessage(field.invalid("staticManifestsDir", staticManifestsDir, why)))
  if (!isAbsolute(staticManifestsDir)) throw wrong("must be an absolute file path")
  const found = await stat(staticManifestsDir).catch((thrown: unknown) => {
    throw wrong(`unable to read: ${messageOf(thrown)}`)
  })
  if (!found.isDirectory()) throw wrong("must be a directory")
  return readFolder(staticManifestsDir)
}

async function readFolder(dir: string): Promise<Manifests> {
  const hash = createHash("sha256")
  const documents: Document[] = []
  const yaml = await loadYaml()
  for (const name of (await readdir(dir)).sort()) {
    if (![".yaml", ".yml", ".json"].includes(extname(name).toLowerCase())) continue
    const file = join(dir, name)
    if (!(await stat(file)).isFile()) continue
    const text = await readFile(file, "utf8")
    hash.update(text).update("\0")
    try {
      for (const content of yaml.parseAll(text)) documents.push({ file, content })
    } catch (thrown) {
      throw new Error(`error loading ${file}: ${messageOf(thrown)}`, { cause: thrown })
    }
  }
  return { dir, documents, hash: hash.digest("hex") }
}

/**
 * The same, with the files' objects of `kinds` (a webhook's, or a policy's and its binding's) before those of the API. Throws for what is wrong with them; `check` sees all of
 * them together.
 */
export function withManifests(
  deps: AdmissionDeps,
  manifests: Manifests | undefined,
  kinds: readonly Kind[],
  rule: ManifestRule,
  check: (objects: Objects) => void = () => {},
): AdmissionDeps {
  if (!manifests) return deps
  const what = kinds.length > 1 ? "policy" : "webhook"
  const read = (from: Manifests): Objects => {
    try {
      const objects = objectsOf(from, deps, kinds, rule)
      check(objects)
      return objects
    } catch (thrown) {
      const why = messageOf(thrown)
      throw new Error(`failed to load static ${what} manifests from ${goQuote(from.dir)}: ${why}`, {
        cause: thrown,
      })
    }
  }
  let present = read(manifests)
  const followers: (() => void)[] = []
  deps.background("admission objects in files", async (signal) => {
    for (let last = manifests.hash; ;) {
      await deps.env.clock.sleep(lookMs, signal)
      try {
        const next = await readFolder(manifests.dir)
        if (next.hash === last) continue
        present = read(next)
        last = next.hash
        for (const changed of followers) changed()
        deps.env.log.info("Admission objects in files have changed", { dir: manifests.dir })
      } catch (thrown) {
        deps.env.log.error("Admission objects cannot be read again", thrown, { dir: manifests.dir })
      }
    }
  })
  return {
    ...deps,
    list: <T extends KubeObject>(kind: Kind<T>, namespace?: string) => [
      ...((present.get(kind as Kind) ?? []) as unknown as readonly T[]),
      ...deps.list(kind, namespace),
    ],
    follow(kind, changed) {
      followers.push(changed)
      deps.follow(kind, changed)
    },
  }
}

function objectsOf(
  { documents, hash }: Manifests,
  deps: Pick<AdmissionDeps, "decode">,
  kinds: readonly Kind[],
  rule: ManifestRule,
): Objects {
  const out = new Map<Kind, KubeObject[]>(kinds.map((kind) => [kind, []]))
  const files = new Map<string, string>()
  const take = (content: unknown, file: string): void => {
    const {
      apiVersion = "",
      kind: kindName = "",
      items,
    } = (content ?? {}) as Partial<KubeObject> & {
      readonly items?: readonly object[]
    }
    if (kindName === "List" && apiVersion === "v1") return items?.forEach((item) => take(item, file))
    const kind = kinds.find(
      (one) => one.apiVersion === apiVersion && [one.kind, `${one.kind}List`].includes(kindName),
    )
    if (!kind)
      throw new Error(`no kind ${goQuote(kindName)} is registered for version ${goQuote(apiVersion)}`)
    if (kindName !== kind.kind)
      return items?.forEach((item) => take({ ...item, apiVersion, kind: kind.kind }, file))
    const object = deps.decode(kind, content, { strict: true })
    const { name = "" } = object.metadata
    const errors = kind.validate?.(object).filter((error) => error.field !== "metadata.name") ?? []
    if (errors.length > 0) throw new Error(`${kind.kind} ${goQuote(name)}: ${aggregateMessage(errors)}`)
    checkName(kind, name, file, files)
    rule(object, file)
    object.metadata.uid = `${uidPrefix}${hash}/${name}`
    object.metadata.generation = 1
    out.get(kind)!.push(object)
  }
  for (const { file, content } of documents) {
    try {
      take(content, file)
    } catch (thrown) {
      throw new Error(`error loading ${file}: ${messageOf(thrown)}`, { cause: thrown })
    }
  }
  for (const list of out.values()) list.sort((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1))
  return out
}

/** Mirrors: manifest/validation.go ValidateManifestName */
function checkName(kind: Kind, name: string, file: string, files: Map<string, string>): void {
  if (name === "") throw new Error(`resource in file ${goQuote(file)} must have a name`)
  if (!name.endsWith(suffix))
    throw new Error(
      `${goQuote(name)} in file ${goQuote(file)} must have a name ending with ${goQuote(suffix)}`,
    )
  const key = `${kind.kind}/${name}`
  const before = files.get(key)
  if (before !== undefined)
    throw new Error(
      `duplicate name ${goQuote(name)} found in file ${goQuote(file)} (previously seen in ${goQuote(before)})`,
    )
  files.set(key, file)
}
