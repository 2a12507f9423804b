/**
 * Requests about objects of every kind to the API server: never a fault of its own, refusals are Statuses, and what is
 * stored afterwards can be read in every form, is taken as it is, and does not change when nothing is changed.
 */
import { kinds } from "@knarr/api"
import { stringifyYaml, type Kind } from "@knarr/apimachinery"
import { knarrTarget } from "../../diff/servers.ts"
import { collectionOf } from "../../diff/objects.ts"
import type { Draw } from "../draw.ts"
import { randomObject, samples } from "../objects.ts"
import { ask, expectApiAnswer, type Answer, type Sent } from "../servers.ts"
import { defineTarget, expect } from "../target.ts"

interface Input {
  readonly kind: string
  readonly name: string
  readonly steps: readonly Sent[]
}

const namespace = "fuzz"
const patchTypes = ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"]
const forms = [
  ...["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "*/*", "text/html", ""],
  "application/json;as=Table;v=v1;g=meta.k8s.io",
  "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  "application/yaml;q=0.5,application/json;as=Table;v=v1;g=meta.k8s.io;q=0.1",
]
const parameters: Readonly<Record<string, readonly string[]>> = {
  dryRun: ["All", "", "x"],
  fieldManager: ["m", "", "a b", "x".repeat(129)],
  fieldValidation: ["Strict", "Warn", "Ignore", "x"],
  force: ["true", "false", "1", "x"],
  pretty: ["true", "1", "x"],
  labelSelector: ["a=b", "a in (b,c)", "!x", "a>1", "=", "(((", ",,"],
  fieldSelector: [
    "metadata.name=x",
    "metadata.namespace!=x",
    "spec.nodeName=",
    "status.phase=Running",
    "x=y",
    "=",
    "\\",
  ],
  limit: ["0", "1", "-1", "500", "99999999999999999999", "x", "1.5"],
  continue: ["x", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0", "bnVsbA", "W10", "IjEi", "e30"],
  resourceVersion: ["0", "1", "x", "-1", "", "18446744073709551616"],
  resourceVersionMatch: ["Exact", "NotOlderThan", "x"],
  sendInitialEvents: ["true", "false"],
  allowWatchBookmarks: ["true", "x"],
  timeoutSeconds: ["1", "0", "-1", "x", "99999999999999999999"],
  gracePeriodSeconds: ["0", "-1", "30", "x", "9223372036854775808"],
  propagationPolicy: ["Background", "Orphan", "x"],
  orphanDependents: ["true", "false", "x"],
  ignoreStoreReadErrorWithClusterBreakingPotential: ["true", "false"],
  includeObject: ["None", "Object", "Metadata", "x"],
}

export function query(draw: Draw, watch = true): string {
  const words = draw.list(5, () => {
    const name = draw.pick(Object.keys(parameters))
    const value = draw.pick(parameters[name]!)
    return `${name}=${encodeURIComponent(draw.chance(0.15) ? draw.mutate(value).toWellFormed() : value)}`
  })
  // The first of a name counts: without a time a watch goes on for an hour.
  if (watch && draw.chance(0.02)) words.unshift("watch=true", "timeoutSeconds=1")
  return words.length === 0 ? "" : `?${words.join("&")}`
}

function bodyOf(draw: Draw, value: unknown): Pick<Sent, "headers" | "body"> {
  const yaml = draw.chance(0.15)
  const text = yaml ? stringifyYaml(value) : JSON.stringify(value)
  const type = draw.chance(0.03)
    ? draw.pick(["text/plain", "", "application/vnd.kubernetes.protobuf"])
    : `application/${yaml ? "yaml" : "json"}`
  return { headers: { "content-type": type }, body: draw.chance(0.06) ? draw.mutate(text) : text }
}

export const apiRequests = defineTarget<Input>({
  name: "api-requests",
  quick: 70,
  grows: false,
  async open({ scope, env }) {
    const target = await knarrTarget(scope, env.log)
    const options = { host: "127.0.0.1", port: target.port, agent: target.agent, secure: true }
    const send = async (sent: Sent): Promise<Answer | undefined> => {
      const answer = await ask(options, sent)
      if (answer) expectApiAnswer(answer, sent)
      return answer
    }
    const json = { "content-type": "application/json" }
    const post = (path: string, value: unknown): Sent => ({
      method: "POST",
      path,
      headers: json,
      body: JSON.stringify(value),
    })
    await send(post("/api/v1/namespaces", { metadata: { name: namespace } }))
    await send(post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: "default" } }))

    const steps = (draw: Draw): Input => {
      const { kind, name, object } = draw.pick(samples)
      const collection = collectionOf(kind, namespace)
      const one = `${collection}/${name}`
      const variant = (base: unknown = object): unknown => {
        const value = draw.chance(0.15) ? { ...randomObject(kind, draw), metadata: { name } } : base
        return draw.chance(0.5) ? draw.mutateJson(value) : value
      }
      const place = (): string => {
        const parts = [...kind.subresources.keys()].filter(
          (part) => !["exec", "attach", "portforward", "proxy", "log"].includes(part),
        )
        return one + (parts.length > 0 && draw.chance(0.25) ? `/${draw.pick(parts)}` : "")
      }
      const step = (): Sent =>
        draw.pick<() => Sent>([
          () => ({ method: "POST", path: collection + query(draw, false), ...bodyOf(draw, variant()) }),
          () => ({ method: "PUT", path: place() + query(draw, false), ...bodyOf(draw, variant()) }),
          () => ({ method: "PUT", path: one, ...bodyOf(draw, variant()) }),
          () => ({
            method: "GET",
            path: place() + query(draw, false),
            headers: { accept: draw.pick(forms) },
          }),
          () => ({ method: "GET", path: collection + query(draw), headers: { accept: draw.pick(forms) } }),
          () => ({
            method: "DELETE",
            path: draw.pick([one, one, collection]) + query(draw, false),
            ...(draw.chance(0.5)
              ? bodyOf(
                  draw,
                  draw.mutateJson({
                    kind: "DeleteOptions",
                    apiVersion: "v1",
                    preconditions: { uid: "x" },
                    gracePeriodSeconds: 0,
                    propagationPolicy: "Foreground",
                  }),
                )
              : {}),
          }),
          ...patchTypes.map((type) => (): Sent => {
            const path =
              place() +
              (type === "apply-patch+yaml"
                ? `?fieldManager=${draw.pick(["a", "b"])}&force=${draw.chance(0.5)}`
                : "")
            const edit = (): unknown => ({
              op: draw.pick(["add", "remove", "replace", "test", "copy", "move"]),
              path: draw.pick([
                "/metadata/labels",
                "/spec",
                "/spec/replicas",
                "/metadata",
                "",
                "/kind",
                "/metadata/finalizers/-",
              ]),
              from: draw.pick(["/spec", "/metadata/name"]),
              value: draw.json(2),
            })
            const value =
              type === "json-patch+json" ? draw.list(5, edit) : draw.chance(0.2) ? draw.json(3) : variant()
            const { body } = bodyOf(draw, value)
            return { method: "PATCH", path, headers: { "content-type": `application/${type}` }, body: body! }
          }),
        ])()
      const first: Sent = { method: "POST", path: collection, ...bodyOf(draw, variant()) }
      return { kind: `${kind.apiVersion} ${kind.kind}`, name, steps: [first, ...draw.list(6, step)] }
    }

    const asText = (answer: Answer | undefined): string =>
      answer?.status === 200 ? answer.body : `status ${answer?.status}`

    async function expectGoodObject(one: string, collection: string, object: string): Promise<void> {
      for (const accept of forms.filter((form) => form.includes("json") || form.includes("yaml")))
        for (const path of [one, collection]) {
          // A list's metadata has a name of its own.
          const form = path === collection ? accept.replace("ObjectMetadata;", "ObjectMetadataList;") : accept
          const read = await send({ method: "GET", path, headers: { accept: form } })
          expect(
            read?.status === 200,
            "what is stored cannot be read",
            path,
            accept,
            read?.body.slice(0, 300),
          )
        }
      const put = await send({ method: "PUT", path: one, headers: json, body: object })
      expect(asText(put) === object, "what is stored is not taken as it is", object, put?.body)
      for (const [type, body] of [
        ["merge-patch+json", "{}"],
        ["strategic-merge-patch+json", "{}"],
        ["json-patch+json", "[]"],
      ] as const) {
        const headers = { "content-type": `application/${type}` }
        const patched = await send({ method: "PATCH", path: one, headers, body })
        expect(
          asText(patched) === object,
          "a patch that says nothing changes something",
          type,
          object,
          patched?.body,
        )
      }
      const { apiVersion, kind, metadata } = JSON.parse(object) as {
        apiVersion: string
        kind: string
        metadata: { name: string }
      }
      const applied = await send({
        method: "PATCH",
        path: `${one}?fieldManager=nobody&dryRun=All`,
        headers: { "content-type": "application/apply-patch+yaml" },
        body: JSON.stringify({ apiVersion, kind, metadata: { name: metadata.name } }),
      })
      expect(applied?.status === 200, "to apply nothing is refused", object, applied?.body)
    }

    async function cleanUp(kind: Kind, one: string): Promise<void> {
      const headers = { "content-type": "application/merge-patch+json" }
      const body = JSON.stringify({ metadata: { finalizers: null } })
      const { status } = (await ask(options, { method: "DELETE", path: `${one}?gracePeriodSeconds=0` })) ?? {}
      if (status === 404) return
      await ask(options, { method: "PATCH", path: one, headers, body })
      if (kind.kind === "Namespace")
        await ask(options, {
          method: "PUT",
          path: `${one}/finalize`,
          headers: json,
          body: JSON.stringify({ metadata: { name: one.split("/").at(-1) } }),
        })
    }

    return {
      generate: steps,
      async check({ kind: id, name, steps }) {
        const kind = kinds.find(({ apiVersion, kind }) => `${apiVersion} ${kind}` === id)
        if (!kind || typeof name !== "string" || name === "" || !Array.isArray(steps)) return
        const collection = collectionOf(kind, namespace)
        const one = `${collection}/${name}`
        try {
          for (const step of steps as readonly Sent[]) {
            if (!String(step.path).startsWith("/")) return
            await send(step)
          }
          const stored = await send({ method: "GET", path: one })
          if (stored?.status === 200) await expectGoodObject(one, collection, stored.body)
        } finally {
          await cleanUp(kind, one)
        }
      },
    }
  },
})
