/** `kubectl create namespace|serviceaccount|quota|priorityclass|poddisruptionbudget|token`. */
import { goQuote, parseQuantity, parseToLabelSelector, StatusError } from "@knarr/apimachinery"
import { resourcePath } from "../api-client.ts"
import type { CommandContext, KubectlCommand } from "../command.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"
import { outputForm, objectPrinter } from "../printers/printer.ts"
import { printFlags } from "../shared-flags.ts"
import { generator, nameArgument } from "./create-object.ts"

export const createNamespace: KubectlCommand = generator({
  name: "namespace",
  aliases: ["ns"],
  summary: "Create a namespace with the specified name",
  usage: "NAME [--dry-run=server|client|none]",
  make: (_, name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: {}, status: {} }),
})

export const createServiceAccount: KubectlCommand = generator({
  name: "serviceaccount",
  failure: "failed to create serviceaccount: ",
  aliases: ["sa"],
  summary: "Create a service account with the specified name",
  usage: "NAME [--dry-run=server|client|none]",
  make: (_, name) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name } }),
})

/** `a=b,c=d` as an object. Throws with upstream's message. */
export function parseResourceList(text: string): Record<string, string> {
  const out: Record<string, string> = {}
  if (text === "") return out
  for (const part of text.split(",")) {
    const pair = part.split("=")
    if (pair.length !== 2) throw new Error(`invalid argument syntax ${part}, expected <resource>=<value>`)
    try {
      out[pair[0]!] = parseQuantity(pair[1]!).toString()
    } catch (cause) {
      throw new Error((cause as Error).message, { cause })
    }
  }
  return out
}

export const createQuota: KubectlCommand = generator({
  name: "quota",
  failure: "failed to create quota: ",
  aliases: ["resourcequota"],
  summary: "Create a quota with the specified name",
  usage: "NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [--dry-run=server|client|none]",
  flags: [
    flag.text("hard", "A comma-delimited set of resource=quantity pairs that define a hard limit."),
    flag.text(
      "scopes",
      "A comma-delimited set of quota scopes that must all match each object tracked by the quota.",
    ),
  ],
  make: (ctx, name) => {
    const spec: Obj = {}
    const hard = parseResourceList(ctx.flags.text("hard"))
    if (Object.keys(hard).length > 0) spec["hard"] = hard
    const scopes = ctx.flags.text("scopes")
    if (scopes !== "") spec["scopes"] = scopes.split(",")
    return { apiVersion: "v1", kind: "ResourceQuota", metadata: { name }, spec, status: {} }
  },
})

export const createPriorityClass: KubectlCommand = generator({
  name: "priorityclass",
  failure: "failed to create priorityclass: ",
  aliases: ["pc"],
  summary: "Create a priority class with the specified name",
  usage: "NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]",
  flags: [
    flag.int("value", "the value of this priority class."),
    flag.bool(
      "global-default",
      "global-default specifies whether this PriorityClass should be considered as the default priority.",
    ),
    flag.text(
      "description",
      "description is an arbitrary string that usually provides guidelines on when this priority class should be used.",
    ),
    flag.text("preemption-policy", {
      default: "PreemptLowerPriority",
      help: "preemption-policy is the policy for preempting pods with lower priority.",
    }),
  ],
  make: ({ flags }, name) => ({
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name },
    value: flags.int("value"),
    ...(flags.bool("global-default") ? { globalDefault: true } : {}),
    ...(flags.text("description") ? { description: flags.text("description") } : {}),
    preemptionPolicy: flags.text("preemption-policy"),
  }),
})

export const createPdb: KubectlCommand = generator({
  name: "poddisruptionbudget",
  failure: "failed to create poddisruptionbudgets: ",
  aliases: ["pdb"],
  summary: "Create a pod disruption budget with the specified name",
  usage: "NAME --selector=SELECTOR --min-available=N [--dry-run=server|client|none]",
  flags: [
    flag.text("min-available", "The minimum number or percentage of available pods this budget requires."),
    flag.text(
      "max-unavailable",
      "The maximum number or percentage of unavailable pods this budget requires.",
    ),
    flag.text(
      "selector",
      "A label selector to use for this budget. Only equality-based selector requirements are supported.",
    ),
  ],
  make: ({ flags }, name) => {
    const min = flags.text("min-available")
    const max = flags.text("max-unavailable")
    if (min === "" && max === "") throw new Error("one of min-available or max-unavailable must be specified")
    if (min !== "" && max !== "")
      throw new Error("min-available and max-unavailable cannot be both specified")
    if (flags.text("selector") === "") throw new Error("a selector must be specified")
    return {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name },
      spec: {
        ...(min === "" ? {} : { minAvailable: intOrPercent("min-available", min) }),
        selector: parseToLabelSelector(flags.text("selector")),
        ...(max === "" ? {} : { maxUnavailable: intOrPercent("max-unavailable", max) }),
      },
      status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    }
  },
})

function intOrPercent(what: string, text: string): string | number {
  if (/^\d+$/.test(text)) return Number(text)
  if (/^\d+%$/.test(text)) return text
  throw new Error(`invalid format specified for ${what}`)
}

export const createToken: KubectlCommand = {
  name: "token",
  summary: "Request a service account token",
  usage: "SERVICE_ACCOUNT_NAME",
  flags: [
    ...printFlags,
    flag.array(
      "audience",
      "Audience of the requested token. If unset, defaults to requesting a token for use with the Kubernetes API server. May be repeated to request a token valid for multiple audiences.",
    ),
    flag.duration(
      "duration",
      "Requested lifetime of the issued token. If not set or if set to 0, the lifetime will be determined by the server automatically.",
    ),
    flag.text(
      "bound-object-kind",
      "Kind of an object to bind the token to. Supported kinds are Node, Pod, Secret.",
    ),
    flag.text("bound-object-name", "Name of an object to bind the token to."),
    flag.text("bound-object-uid", "UID of an object to bind the token to."),
  ],
  run: requestToken,
}

async function requestToken(ctx: CommandContext): Promise<void> {
  const { flags } = ctx
  const name = nameArgument(ctx)
  const kind = flags.text("bound-object-kind")
  if (kind && !["Node", "Pod", "Secret"].includes(kind)) {
    throw new Error(`supported --bound-object-kind values are Node, Pod, Secret`)
  }
  if (kind && !flags.text("bound-object-name")) {
    throw new Error("--bound-object-name is required if --bound-object-kind is provided")
  }
  const duration = flags.duration("duration")
  if (duration < 0) throw new Error("--duration must be greater than or equal to 0")
  if (duration % 1000 !== 0) throw new Error("--duration cannot be expressed in units less than seconds")
  const { namespace } = await ctx.factory.namespace()
  const resource = await (await ctx.factory.mapper()).resource("serviceaccounts")
  const api = await ctx.factory.api()
  const request = api.json("POST", resourcePath(resource, namespace, name, "token"), {
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        audiences: flags.list("audience"),
        ...(duration > 0 ? { expirationSeconds: duration / 1000 } : {}),
        ...(kind
          ? {
              boundObjectRef: {
                kind,
                apiVersion: "v1",
                name: flags.text("bound-object-name"),
                uid: flags.text("bound-object-uid"),
              },
            }
          : {}),
      },
    },
  })
  const token = await request.catch((thrown: unknown) => {
    if (!(thrown instanceof StatusError)) throw thrown
    throw new Error(`failed to create token: ${thrown.message}`, { cause: thrown })
  })
  const { form, template } = outputForm(ctx)
  if (form !== "") {
    ctx.out((await objectPrinter(ctx, form, template))(token))
    return
  }
  const text = token["status"]?.token as string | undefined
  if (!text) throw new Error(`failed to create token: no token in server response ${goQuote(name)}`)
  ctx.out(`${text}\n`)
}
