/** What stands in the path of a write: a policy, and a webhook with the server that answers for it. */
import { randomBytes } from "node:crypto"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { createCA, issueCertificate } from "@knarr/base"
import type { Load } from "./load-client.ts"

const base = "/apis/admissionregistration.k8s.io/v1"

/** One object is created. */
function creating(path: string, body: object): Load {
  const type = "application/json"
  return {
    method: "POST",
    path,
    body: JSON.stringify(body),
    contentType: type,
    accept: type,
    clients: 1,
    requests: 1,
  }
}

const rule = { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }
const inNamespace = (namespace: string): object => ({
  matchLabels: { "kubernetes.io/metadata.name": namespace },
})

/** A policy as operators write them, for the pods of a namespace: each has an owner, limits and no host network. */
export function policyLoads(namespace: string): Load[] {
  const name = "bench"
  const spec = {
    matchConstraints: { namespaceSelector: inNamespace(namespace), resourceRules: [rule] },
    variables: [{ name: "containers", expression: "object.spec.containers" }],
    validations: [
      { expression: "'example.com/owner' in object.metadata.annotations", message: "who owns it?" },
      {
        expression: "variables.containers.all(c, has(c.resources.limits) && 'memory' in c.resources.limits)",
      },
      { expression: "!has(object.spec.hostNetwork) || !object.spec.hostNetwork" },
    ],
  }
  return [
    creating(`${base}/validatingadmissionpolicies`, { metadata: { name }, spec }),
    creating(`${base}/validatingadmissionpolicybindings`, {
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    }),
  ]
}

export interface BenchWebhook extends AsyncDisposable {
  /** Has the pods of a namespace judged by it. */
  loads(namespace: string): Load[]
}

/** A webhook in this process that allows everything at once. */
export async function startWebhook(): Promise<BenchWebhook> {
  const hour = 60 * 60 * 1000
  const span = () => ({
    serial: randomBytes(16),
    notBeforeMs: Date.now() - hour,
    notAfterMs: Date.now() + 24 * hour,
  })
  const ca = createCA({ subject: { commonName: "bench-webhook-ca" }, ...span() })
  const { cert, key } = issueCertificate(ca, {
    subject: { commonName: "webhook" },
    ipAddresses: ["127.0.0.1"],
    usages: ["serverAuth"],
    ...span(),
  })
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as {
        apiVersion: string
        kind: string
        request: { uid: string }
      }
      const { apiVersion, kind, request: asked } = review
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ apiVersion, kind, response: { uid: asked.uid, allowed: true } }))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    loads: (namespace) => [
      creating(`${base}/validatingwebhookconfigurations`, {
        metadata: { name: "bench" },
        webhooks: [
          {
            name: "bench.example.com",
            admissionReviewVersions: ["v1"],
            sideEffects: "None",
            clientConfig: { url, caBundle: Buffer.from(ca.cert).toString("base64") },
            rules: [rule],
            namespaceSelector: inNamespace(namespace),
          },
        ],
      }),
    ],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}
