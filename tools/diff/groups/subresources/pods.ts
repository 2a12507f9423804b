/** What is below a pod, tokens of service accounts, certificates. */
import { get, patch, post, quiet, remove, type Step, namespaceSteps } from "../../script.ts"
import { pod } from "./shared.ts"

export function pods(namespace: string): Step[] {
  const at = `/api/v1/namespaces/${namespace}/pods`
  const binding = (target: Record<string, unknown>, more = {}): Record<string, unknown> => ({
    metadata: { name: "a" },
    target,
    ...more,
  })
  const resize = (resources: Record<string, unknown>): Record<string, unknown> => ({
    spec: { containers: [{ name: "c", resources }] },
  })
  return [
    ...namespaceSteps(namespace),
    quiet(post("pod a", at, pod("a", {}, { labels: { a: "b" } }))),
    quiet(
      post("pod b", at, {
        metadata: { name: "b" },
        spec: {
          containers: [
            { name: "c", image: "nginx", resources: { requests: { cpu: "1" }, limits: { cpu: "2" } } },
          ],
        },
      }),
    ),
    post("bind to nothing", `${at}/a/binding`, binding({})),
    post("bind to another kind", `${at}/a/binding`, binding({ kind: "Pod", name: "x" })),
    post("bind to a bad name", `${at}/a/binding`, binding({ kind: "Node", name: "Bad_Name" })),
    post("bind another pod", `${at}/a/binding`, {
      metadata: { name: "z" },
      target: { kind: "Node", name: "n" },
    }),
    post("bind, dry run", `${at}/a/binding?dryRun=All`, binding({ kind: "Node", name: "n" })),
    post("bind", `${at}/a/binding`, binding({ kind: "Node", name: "n" })),
    post("bind again", `${at}/a/binding`, binding({ kind: "Node", name: "m" })),
    post("bind nobody", `${at}/zz/binding`, {
      metadata: { name: "zz" },
      target: { kind: "Node", name: "n" },
    }),
    post("bind by the old path", `/api/v1/namespaces/${namespace}/bindings`, {
      metadata: { name: "b" },
      target: { kind: "Node", name: "n" },
    }),
    post("bind by the old path without a name", `/api/v1/namespaces/${namespace}/bindings`, {
      target: { kind: "Node", name: "n" },
    }),
    get("bound", `${at}/a`),
    get("ephemeral containers", `${at}/a/ephemeralcontainers`),
    patch("add one", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "e", image: "busybox" }] },
    }),
    patch("change one", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "e", image: "other" }] },
    }),
    patch("add one with ports", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "f", image: "x", ports: [{ containerPort: 1 }] }] },
    }),
    patch("add one with the name of another", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "c", image: "x" }] },
    }),
    patch("change a container", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { containers: [{ name: "c", image: "other" }] },
    }),
    patch("add one through the pod", `${at}/a`, "strategic", {
      spec: { ephemeralContainers: [{ name: "g", image: "x" }] },
    }),
    get("resize", `${at}/b/resize`),
    patch("resize cpu", `${at}/b/resize`, "strategic", resize({ requests: { cpu: "1500m" } })),
    patch("resize over the limit", `${at}/b/resize`, "strategic", resize({ requests: { cpu: "3" } })),
    patch("resize to nothing", `${at}/b/resize`, "strategic", resize({ requests: null, limits: null })),
    patch("resize an image", `${at}/b/resize`, "strategic", {
      spec: { containers: [{ name: "c", image: "other" }] },
    }),
    patch("resize through the pod", `${at}/b`, "strategic", resize({ requests: { cpu: "1200m" } })),
    patch("status of a pod", `${at}/a/status`, "merge", {
      status: {
        phase: "Running",
        podIP: "10.0.0.9",
        podIPs: [{ ip: "10.0.0.9" }],
        conditions: [{ type: "Ready", status: "True" }],
      },
    }),
    patch("status with bad addresses", `${at}/a/status`, "merge", { status: { podIPs: [{ ip: "x" }] } }),
    patch("status that changes the spec", `${at}/a/status`, "merge", { spec: { nodeName: "other" } }),
    patch("image", `${at}/a`, "strategic", { spec: { containers: [{ name: "c", image: "nginx:2" }] } }),
    patch("command", `${at}/a`, "strategic", { spec: { containers: [{ name: "c", command: ["x"] }] } }),
    patch("node name", `${at}/a`, "merge", { spec: { nodeName: "other" } }),
    patch("tolerations", `${at}/a`, "merge", { spec: { tolerations: [] } }),
    patch("deadline", `${at}/a`, "merge", { spec: { activeDeadlineSeconds: 5 } }),
    patch("longer deadline", `${at}/a`, "merge", { spec: { activeDeadlineSeconds: 50 } }),
    patch("grace", `${at}/a`, "merge", { spec: { terminationGracePeriodSeconds: 5 } }),
    ...[
      "log",
      "log?container=x",
      "log?follow=x",
      "log?tailLines=-1",
      "log?sinceSeconds=0",
      "log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
      "log?stream=Bogus",
      "log?limitBytes=0",
      "log?stream=Stdout&tailLines=1",
      "log?sinceTime=x",
    ].map((path) => get(path, `${at}/zz/${path}`)),
    ...[
      "log?follow=x",
      "log?tailLines=-1",
      "log?sinceSeconds=0",
      "log?stream=Bogus",
      "log?limitBytes=0",
      "log?container=x",
      "log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
    ].map((path) => get(`b ${path}`, `${at}/b/${path}`)),
    post("exec without a command", `${at}/a/exec`, {}),
    get("exec nobody", `${at}/zz/exec?command=a`),
    get("attach nobody", `${at}/zz/attach`),
    get("port-forward nobody", `${at}/zz/portforward`),
    ...["policy/v1", "policy/v1beta1", "lifecycle.k8s.io/v1alpha1", ""].map((apiVersion) =>
      post(`evict as ${apiVersion}, dry run`, `${at}/b/eviction?dryRun=All`, {
        ...(apiVersion ? { apiVersion, kind: "Eviction" } : {}),
        metadata: { name: "b", namespace },
      }),
    ),
    post("evict another", `${at}/b/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "a", namespace },
    }),
    post("evict nobody", `${at}/zz/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "zz", namespace },
    }),
    post("evict with a bad option", `${at}/b/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "b" },
      deleteOptions: { dryRun: ["x"] },
    }),
    quiet(
      post("budget", `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, {
        metadata: { name: "d" },
        spec: { minAvailable: 1, selector: { matchLabels: { a: "b" } } },
      }),
    ),
    post("evict against a budget", `${at}/a/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "a", namespace },
    }),
    post("evict", `${at}/b/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "b", namespace },
    }),
    remove("delete with grace", `${at}/a?gracePeriodSeconds=3`),
    get("deleted", `${at}/a`),
    remove("delete at once", `${at}/a?gracePeriodSeconds=0`),
    get("gone", `${at}/a`),
  ]
}

export function tokens(namespace: string): Step[] {
  const at = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`
  const ask = (spec: Record<string, unknown>): Record<string, unknown> => ({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec,
  })
  return [
    ...namespaceSteps(namespace),
    quiet(post("pod", `/api/v1/namespaces/${namespace}/pods`, pod("p"))),
    quiet(post("secret", `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "s" } })),
    post("nothing asked", at, {}),
    post("an audience", at, ask({ audiences: ["a"] })),
    post("ten minutes", at, ask({ expirationSeconds: 600 })),
    post("too short", at, ask({ expirationSeconds: 5 })),
    post("too long", at, ask({ expirationSeconds: 4294967297 })),
    post("for a pod", at, ask({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } })),
    post("for another pod", at, ask({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "zz" } })),
    post("for a secret", at, ask({ boundObjectRef: { kind: "Secret", apiVersion: "v1", name: "s" } })),
    post(
      "for a bad uid",
      at,
      ask({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid: "x" } }),
    ),
    post("for a node", at, ask({ boundObjectRef: { kind: "Node", apiVersion: "v1", name: "n" } })),
    post("for a configmap", at, ask({ boundObjectRef: { kind: "ConfigMap", apiVersion: "v1", name: "n" } })),
    post("of nobody", at.replace("/default/token", "/nobody/token"), ask({})),
    post("another name", at, { ...ask({}), metadata: { name: "other" } }),
    post("dry run", `${at}?dryRun=All`, ask({})),
    get("read", at),
  ]
}

export function certificates(_: string): Step[] {
  const at = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
  const one = `${at}/d-csr`
  const request =
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIVE1Ib0NBUUF3R0RFV01CUUdBMVVFQXd3TlpHbG1aaTFsZUdGdGNHeGxNRmt3RXdZSEtvWkl6ajBDQVFZSQpLb1pJemowREFRY0RRZ0FFQUFBQQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K"
  const body = (spec: Record<string, unknown>): Record<string, unknown> => ({
    metadata: { name: "d-csr" },
    spec: { request, signerName: "example.com/s", usages: ["client auth"], ...spec },
  })
  return [
    post("no request", at, body({ request: undefined })),
    post("no pem", at, body({ request: "AAAA" })),
    post("a legacy signer", at, body({ signerName: "kubernetes.io/legacy-unknown" })),
    post("no signer", at, body({ signerName: undefined })),
    post("a bad signer", at, body({ signerName: "x" })),
    post("no usages", at, body({ usages: undefined })),
    post("a bad usage", at, body({ usages: ["fly"] })),
    post("short", at, body({ expirationSeconds: 5 })),
    get("read none", one),
  ]
}
