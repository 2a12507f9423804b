/** `kubectl delete`. Mirrors: kubectl pkg/cmd/delete/delete.go */
import { createInterface } from "node:readline/promises"
import { goQuote, isMethodNotSupported, isNotFound } from "@knarr/apimachinery"
import { TimeoutError } from "@knarr/base"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { cascadeOf, deleteObject, waitGone, weekMs } from "../deletion.ts"
import { ExitError, throwAll, withSource } from "../errors.ts"
import { infosOf, readManifests } from "../files/manifests.ts"
import { flag } from "../flags.ts"
import { at, kindName, type Obj } from "../object.ts"
import { dryRunOf, dryRunSuffix } from "../printers/printer.ts"
import { listPages, targetsOf } from "../resources.ts"
import { allNamespacesFlag, dryRunFlag, fieldSelectorFlag, fileFlags, selectorFlag } from "../shared-flags.ts"
import type { Place } from "../writes.ts"

export const deleteCommand = defineKubectlCommand({
  name: "delete",
  summary: "Delete resources by file names, stdin, resources and names, or by resources and label selector",
  usage: "([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])",
  flags: [
    ...fileFlags,
    selectorFlag,
    fieldSelectorFlag,
    allNamespacesFlag,
    dryRunFlag,
    flag.bool("all", "Delete all resources, in the namespace of the specified resource types."),
    flag.text("cascade", {
      default: "background",
      bare: "background",
      help: 'Must be "background", "orphan", or "foreground". Selects the deletion cascading strategy for the dependents (e.g. Pods created by a ReplicationController). Defaults to background.',
    }),
    flag.bool(
      "force",
      "If true, immediately remove resources from API and bypass graceful deletion. Note that immediate deletion of some resources may result in inconsistency or data loss and requires confirmation.",
    ),
    flag.int("grace-period", {
      default: "-1",
      help: "Period of time in seconds given to the resource to terminate gracefully. Ignored if negative. Set to 1 for immediate shutdown. Can only be set to 0 when --force is true (force deletion).",
    }),
    flag.bool(
      "ignore-not-found",
      'Treat "resource not found" as a successful delete. Defaults to "true" when --all is specified.',
    ),
    flag.bool("interactive", { short: "i", help: "If true, delete resource only when user confirms." }),
    flag.bool("now", "If true, resources are signaled for immediate shutdown (same as --grace-period=1)."),
    flag.text("output", {
      short: "o",
      help: 'Output mode. Use "-o name" for shorter output (resource/name).',
    }),
    flag.text(
      "raw",
      "Raw URI to DELETE to the server.  Uses the transport specified by the kubeconfig file.",
    ),
    flag.duration(
      "timeout",
      "The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
    ),
    flag.bool("wait", {
      default: "true",
      help: "If true, wait for resources to be gone before returning. This waits for finalizers.",
    }),
  ],
  run: runDelete,
})

const forceWarning =
  "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n"

interface Grace {
  readonly seconds: number
  readonly wait: boolean
}

function graceOf(ctx: CommandContext): Grace {
  const { flags } = ctx
  const given = flags.int("grace-period")
  let seconds = given
  let wait = flags.bool("wait")
  if (flags.bool("now")) {
    if (given !== -1) throw new Error("--now and --grace-period cannot be specified together")
    seconds = 1
  }
  if (seconds === 0 && !flags.bool("force")) {
    // Without --force the object is only signalled; the wait makes sure that it has gone.
    wait = true
    seconds = 1
  }
  if (flags.bool("force") && seconds < 0) seconds = 0
  if (flags.bool("force") && !flags.changed("wait")) wait = false
  return { seconds, wait }
}

async function runDelete(ctx: CommandContext): Promise<void> {
  const { flags } = ctx
  const output = flags.text("output")
  if (output !== "" && output !== "name") {
    throw new ExitError(1, `error: unexpected -o output mode: ${output}. We only support '-o name'`)
  }
  if (flags.text("raw")) {
    const response = await (await ctx.factory.api()).send("DELETE", flags.text("raw"))
    ctx.out((await response.buffer()).toString("utf8"))
    return
  }
  const grace = graceOf(ctx)
  const dryRun = dryRunOf(ctx)
  const cascade = cascadeOf(flags.text("cascade"))
  if (flags.bool("all") && (flags.text("selector") || flags.text("field-selector"))) {
    throw new Error("cannot set --all and --selector at the same time")
  }
  if (flags.bool("force") && grace.seconds === 0) ctx.err(forceWarning)
  const places = await placesOf(ctx)
  const errors: Error[] = [...places.errors]
  if (flags.bool("interactive") && !(await confirmed(ctx, places.found))) {
    ctx.out("deletion is cancelled\n")
    return
  }
  const ignoreMissing = flags.changed("ignore-not-found") ? flags.bool("ignore-not-found") : flags.bool("all")
  const api = await ctx.factory.api()
  const gone: { place: Place; uid: string | undefined }[] = []
  let count = 0
  for (const place of places.found) {
    try {
      let uid: string | undefined
      if (dryRun !== "client") {
        const answer = await deleteObject(api, place, { gracePeriod: grace.seconds, cascade, dryRun })
        uid = (at(answer, "details", "uid") ?? at(answer, "metadata", "uid")) as string | undefined
      }
      count++
      ctx.out(deletedText(place, output, grace, dryRun, flags.bool("force")))
      gone.push({ place, uid })
    } catch (thrown) {
      if (isNotFound(thrown) && ignoreMissing) count += 0
      else errors.push(withSource(thrown, "deleting", place.source))
    }
  }
  throwAll(errors)
  if (count === 0 && !places.byName) ctx.out("No resources found\n")
  if (!grace.wait || dryRun !== "none") return
  const timeoutMs = flags.duration("timeout") || weekMs
  for (const { place, uid } of gone) {
    try {
      await waitGone(api, place, uid, { clock: ctx.io.clock, signal: ctx.signal, timeoutMs })
    } catch (thrown) {
      if (thrown instanceof TimeoutError) {
        throw new Error(`timed out waiting for the condition on ${place.resource.plural}/${place.name}`, {
          cause: thrown,
        })
      }
      // What cannot be watched cannot be waited for.
      if (!isMethodNotSupported(thrown)) throw thrown
    }
  }
}

/** What is said of an object that is gone. */
export function deletedText(
  place: Place,
  output: string,
  grace: Pick<Grace, "seconds">,
  dryRun: ReturnType<typeof dryRunOf>,
  force: boolean,
): string {
  const kind = kindName(place.resource.kind, place.resource.group)
  if (output === "name") return `${kind}/${place.name}\n`
  const operation = grace.seconds === 0 && force ? "force deleted" : "deleted"
  const where = place.resource.namespaced ? ` from ${place.namespace} namespace` : ""
  return `${kind} ${goQuote(place.name)} ${operation}${where}${dryRunSuffix(dryRun)}\n`
}

interface Doomed extends Place {
  readonly source?: string
}

async function placesOf(ctx: CommandContext): Promise<{ found: Doomed[]; errors: Error[]; byName: boolean }> {
  const { flags } = ctx
  const found: Doomed[] = []
  const errors: Error[] = []
  if (flags.list("filename").length > 0 || flags.text("kustomize")) {
    return { found: await infosOf(ctx, await readManifests(ctx)), errors, byName: true }
  }
  const targets = await targetsOf(ctx, { args: ctx.args, all: flags.bool("all") })
  const api = await ctx.factory.api()
  for (const target of targets) {
    if (target.name !== undefined) {
      found.push({ ...target, name: target.name })
      continue
    }
    try {
      for await (const page of listPages(ctx, api, target)) {
        for (const item of (page["items"] ?? []) as Obj[]) {
          const { name, namespace = "" } = item["metadata"] as { name: string; namespace?: string }
          found.push({ resource: target.resource, namespace, name })
        }
      }
    } catch (thrown) {
      if (!isNotFound(thrown) && !isMethodNotSupported(thrown)) errors.push(thrown as Error)
    }
  }
  return { found, errors, byName: targets.every((target) => target.name !== undefined) }
}

async function confirmed(ctx: CommandContext, places: readonly Place[]): Promise<boolean> {
  ctx.out("You are about to delete the following " + places.length + " resource(s):\n")
  for (const place of places)
    ctx.out(`${kindName(place.resource.kind, place.resource.group)}/${place.name}\n`)
  ctx.out("Do you want to continue? (y/N): ")
  const input = createInterface({ input: ctx.io.stdin })
  const answer = await new Promise<string>((resolve) => {
    input.once("line", resolve)
    input.once("close", () => resolve(""))
  })
  input.close()
  return answer.trim().toLowerCase() === "y"
}
