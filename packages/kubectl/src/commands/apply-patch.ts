/** The patches of `kubectl apply`: three-way in the client, or on the server. Mirrors: kubectl pkg/cmd/apply/patcher.go */
import {
  StatusError,
  applyMergePatch,
  applyStrategicMergePatch,
  createThreeWayJSONMergePatch,
  createThreeWayMergePatch,
  isConflict,
  isNotFound,
  jsonClone,
  type JsonObject,
  type Kind,
} from "@knarr/apimachinery"
import type { ApiClient } from "../api-client.ts"
import { resourcePath } from "../api-client.ts"
import type { CommandContext } from "../command.ts"
import { withSource } from "../errors.ts"
import { lastApplied } from "../last-applied.ts"
import type { Obj } from "../object.ts"
import { fetchObject } from "../resources.ts"
import type { Info } from "../info.ts"
import { createObject, patchObject, type WriteOptions } from "../writes.ts"

const maxRetries = 5

interface Patch {
  readonly body: JsonObject
  readonly kind: Kind | undefined
}

async function makePatch(current: Obj, modified: Obj, overwrite: boolean): Promise<Patch> {
  const { builtinKind } = await import("../builtin-kinds.ts")
  const kind = builtinKind(modified)
  const original = lastApplied(current)
  const plain = jsonClone(modified) as JsonObject
  const live = jsonClone(current) as JsonObject
  const body = kind
    ? createThreeWayMergePatch(original, plain, live, kind.schema, overwrite)
    : createThreeWayJSONMergePatch(original ?? {}, plain, live)
  return { body, kind }
}

/** Brings the object to the modified configuration; conflicts are retried with what the server has by then. */
export async function applyPatch(
  ctx: CommandContext,
  api: ApiClient,
  info: Info,
  modified: Obj,
  first: Obj,
  options: WriteOptions,
): Promise<{ patched: Obj; changed: boolean }> {
  const overwrite = ctx.flags.bool("overwrite")
  let current = first
  for (let attempt = 0; ; attempt++) {
    const { body, kind } = await makePatch(current, modified, overwrite)
    if (Object.keys(body).length === 0) return { patched: current, changed: false }
    if (options.dryRun === "client") {
      const base = jsonClone(current) as JsonObject
      const patched = kind ? applyStrategicMergePatch(kind.schema, base, body) : applyMergePatch(base, body)
      return {
        patched: { ...patched, apiVersion: modified["apiVersion"], kind: modified["kind"] } as Obj,
        changed: true,
      }
    }
    try {
      const patched = await patchObject(api, info, kind ? "strategic" : "merge", body, options)
      return { patched, changed: true }
    } catch (thrown) {
      if (isConflict(thrown) && attempt < maxRetries) {
        current = await fetchObject(api, info)
        continue
      }
      const invalid = thrown instanceof StatusError && thrown.reason === "Invalid"
      if (ctx.flags.bool("force") && (isConflict(thrown) || invalid)) {
        return { patched: await recreate(ctx, api, info, modified, current, options), changed: true }
      }
      throw withSource(
        thrown,
        `applying patch:\n${JSON.stringify(body)}\nto:\nResource: "${resourceText(info)}", GroupVersionKind: "${kindText(info)}"\nName: "${info.name}", Namespace: "${info.namespace}"\nfor:`,
        info.source,
      )
    }
  }
}

function resourceText({ resource }: Info): string {
  return `${resource.group ? `${resource.group}/` : "/"}${resource.version}, Resource=${resource.plural}`
}

function kindText({ resource }: Info): string {
  return `${resource.group ? `${resource.group}/` : "/"}${resource.version}, Kind=${resource.kind}`
}

async function recreate(
  ctx: CommandContext,
  api: ApiClient,
  info: Info,
  modified: Obj,
  current: Obj,
  options: WriteOptions,
): Promise<Obj> {
  const path = resourcePath(info.resource, info.namespace, info.name)
  await api.json("DELETE", path, {
    body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background", gracePeriodSeconds: 0 },
  })
  for (;;) {
    try {
      await fetchObject(api, info)
    } catch (thrown) {
      if (isNotFound(thrown)) break
      throw thrown
    }
    await ctx.io.clock.sleep(1000, ctx.signal)
  }
  try {
    return await createObject(api, info, modified, options)
  } catch (thrown) {
    const { resourceVersion: _, uid: _uid, ...metadata } = current["metadata"] as Obj
    await createObject(api, info, { ...current, metadata }, {})
    throw thrown
  }
}

/** `apply --server-side`. Conflicts are thrown with what the user can do about them. */
export async function applyServerSide(api: ApiClient, info: Info, options: WriteOptions): Promise<Obj> {
  const { managedFields: _, ...metadata } = info.object["metadata"] as Obj
  try {
    return await patchObject(api, info, "apply", { ...info.object, metadata }, options)
  } catch (thrown) {
    if (!isConflict(thrown)) throw thrown
    throw new Error(`${(thrown as Error).message}\n${conflictAdvice}`, { cause: thrown })
  }
}

const conflictAdvice = `Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`
