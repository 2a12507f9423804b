/** Clients tell by its bytes whether a revision is of the template that they have: `kubectl rollout`, tests of upstream's. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { controllerRevision, daemonSet, statefulSet } from "@knarr/api"
import { goJson } from "@knarr/apimachinery"
import { startCluster } from "./cluster.ts"

const container = { name: "app", image: "nope:1" }
const daemonTemplate = {
  metadata: { labels: { a: "b" }, annotations: { "x-y": "a & b > c" } },
  spec: {
    volumes: [
      { name: "v", emptyDir: {} },
      { name: "w", configMap: { name: "q" } },
    ],
    tolerations: [{ operator: "Exists" }],
    initContainers: [
      {
        ...{ name: "i", image: "nope:2" },
        env: [
          { name: "A", value: "1" },
          { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        ],
      },
    ],
    containers: [
      {
        ...container,
        ports: [{ containerPort: 9376 }],
        securityContext: {},
        resources: { limits: { cpu: 1 } },
        livenessProbe: { httpGet: { port: 80 } },
      },
    ],
  },
}
const setTemplate = { metadata: { labels: { a: "c" } }, spec: { containers: [container] } }

// As kube-controller-manager wrote them of the same objects.
const recorded = [
  String.raw`{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"c"}},"spec":{"containers":[{"image":"nope:1","imagePullPolicy":"IfNotPresent","name":"app","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30}}}}`,
  String.raw`{"spec":{"template":{"$patch":"replace","metadata":{"annotations":{"x-y":"a \u0026 b \u003e c"},"labels":{"a":"b"}},"spec":{"containers":[{"image":"nope:1","imagePullPolicy":"IfNotPresent","livenessProbe":{"failureThreshold":3,"httpGet":{"path":"/","port":80,"scheme":"HTTP"},"periodSeconds":10,"successThreshold":1,"timeoutSeconds":1},"name":"app","ports":[{"containerPort":9376,"protocol":"TCP"}],"resources":{"limits":{"cpu":"1"}},"securityContext":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"dnsPolicy":"ClusterFirst","initContainers":[{"env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}}],"image":"nope:2","imagePullPolicy":"IfNotPresent","name":"i","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"terminationGracePeriodSeconds":30,"tolerations":[{"operator":"Exists"}],"volumes":[{"emptyDir":{},"name":"v"},{"configMap":{"defaultMode":420,"name":"q"},"name":"w"}]}}}}`,
]

test("the revisions of templates are those of kube-controller-manager, byte for byte", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  const metadata = (name: string) => ({ namespace: "default", name })
  await client.create(daemonSet, {
    metadata: metadata("zz"),
    spec: { selector: { matchLabels: { a: "b" } }, template: daemonTemplate },
  } as never)
  await client.create(statefulSet, {
    metadata: metadata("ss"),
    spec: { serviceName: "x", selector: { matchLabels: { a: "c" } }, template: setTemplate },
  } as never)
  await cluster.until("the revisions", () => cluster.list(controllerRevision).length === 2)
  const revisions = cluster.list(controllerRevision)
  assert.deepEqual(revisions.map(({ data }) => goJson(data)).sort(), recorded.toSorted())
})
