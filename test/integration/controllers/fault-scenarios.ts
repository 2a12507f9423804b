/** What each controller goes through while faults strike: a life of its kind, from its making to its end. */
import {
  configMap,
  cronJob,
  daemonSet,
  deployment,
  job,
  namespace as namespaceKind,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  podDisruptionBudget,
  replicaSet,
  replicationController,
  resourceQuota,
  service,
  statefulSet,
} from "@knarr/api"
import type { Scenario } from "./fault-world.ts"

const namespace = "default"
const labels = { app: "web" }
const selector = { matchLabels: labels }
const ref = { namespace, name: "web" }
const metadata = ref

const template = (image = "web:1", annotations = {}) => ({
  metadata: { labels, annotations },
  spec: { containers: [{ name: "web", image }] },
})

const jobTemplate = (annotations: Record<string, string>) => ({
  metadata: { labels, annotations },
  spec: { restartPolicy: "Never" as const, containers: [{ name: "work", image: "work:1" }] },
})

export const scenarios: Readonly<Record<string, Scenario>> = {
  "a deployment is made, rolled and scaled": {
    controllers: ["deployment-controller"],
    async run({ client, pass }) {
      await client.create(deployment, { metadata, spec: { replicas: 3, selector, template: template() } })
      await pass(30)
      await client.patch(deployment, ref, "merge", { spec: { template: template("web:2") } })
      await pass(60)
      await client.patch(deployment, ref, "merge", { spec: { replicas: 5 } })
      await pass(60)
    },
  },
  "a replica set grows, shrinks and replaces a pod": {
    controllers: ["replicaset-controller"],
    async run({ client, cluster, pass }) {
      await client.create(replicaSet, { metadata, spec: { replicas: 3, selector, template: template() } })
      await pass(30)
      await client.patch(replicaSet, ref, "merge", { spec: { replicas: 4 } })
      await pass(30)
      await client.delete(pod, {
        namespace,
        name: cluster.informers.informer(pod).list(namespace)[0]!.metadata.name,
      })
      await pass(60)
      await client.patch(replicaSet, ref, "merge", { spec: { replicas: 2 } })
      await pass(60)
    },
  },
  "a replication controller grows and shrinks": {
    controllers: ["replicationcontroller-controller"],
    async run({ client, pass }) {
      const spec = { replicas: 3, selector: labels, template: template() }
      await client.create(replicationController, { metadata, spec })
      await pass(30)
      await client.patch(replicationController, ref, "merge", { spec: { replicas: 1 } })
      await pass(60)
    },
  },
  "a stateful set is made, rolled and scaled down": {
    controllers: ["statefulset-controller"],
    async run({ client, pass }) {
      const spec = { replicas: 3, serviceName: "web", selector, template: template() }
      await client.create(statefulSet, { metadata, spec })
      await pass(60)
      await client.patch(statefulSet, ref, "merge", { spec: { template: template("web:2") } })
      await pass(120)
      await client.patch(statefulSet, ref, "merge", { spec: { replicas: 1 } })
      await pass(60)
    },
  },
  "a daemon set is made and rolled": {
    controllers: ["daemonset-controller"],
    async run({ client, pass }) {
      await client.create(daemonSet, { metadata, spec: { selector, template: template() } })
      await pass(30)
      await client.patch(daemonSet, ref, "merge", { spec: { template: template("web:2") } })
      await pass(120)
    },
  },
  "an indexed job succeeds, and another one fails": {
    controllers: ["job-controller"],
    async run({ client, pass }) {
      const good = jobTemplate({ "simulation.knarr.dev/run-time": "5s" })
      await client.create(job, {
        metadata: { namespace, name: "good" },
        spec: { completions: 3, parallelism: 2, completionMode: "Indexed", template: good },
      })
      const bad = jobTemplate({
        "simulation.knarr.dev/run-time": "2s",
        "simulation.knarr.dev/exit-code": "1",
      })
      await client.create(job, {
        metadata: { namespace, name: "bad" },
        spec: { backoffLimit: 1, template: bad },
      })
      await pass(180)
    },
  },
  "a cron job starts a job a minute and keeps the last ones": {
    controllers: ["cronjob-controller"],
    async run({ client, pass }) {
      await client.create(cronJob, {
        metadata,
        spec: {
          schedule: "* * * * *",
          successfulJobsHistoryLimit: 2,
          jobTemplate: {
            metadata: {},
            spec: { template: jobTemplate({ "simulation.knarr.dev/run-time": "1s" }) },
          },
        },
      })
      await pass(275)
      await client.patch(cronJob, ref, "merge", { spec: { suspend: true } })
      await pass(40)
    },
  },
  "a job is removed when its time is over": {
    controllers: ["ttl-after-finished-controller"],
    async run({ client, pass }) {
      const quick = jobTemplate({ "simulation.knarr.dev/run-time": "1s" })
      for (const name of ["one", "two"])
        await client.create(job, {
          metadata: { namespace, name },
          spec: { ttlSecondsAfterFinished: 20, template: quick },
        })
      await pass(180)
    },
  },
  "a disruption budget follows its pods": {
    controllers: ["disruption-controller"],
    async run({ client, pass }) {
      await client.create(podDisruptionBudget, { metadata, spec: { minAvailable: 2, selector } } as never)
      await client.create(replicaSet, { metadata, spec: { replicas: 3, selector, template: template() } })
      await pass(60)
      await client.patch(replicaSet, ref, "merge", { spec: { replicas: 2 } })
      await pass(60)
    },
  },
  "endpoints and slices follow a service's pods": {
    controllers: ["endpoints-controller", "endpointslice-controller", "endpointslice-mirroring-controller"],
    async run({ client, pass }) {
      const spec = { selector: labels, ports: [{ port: 80, protocol: "TCP" }] }
      await client.create(service, { metadata, spec } as never)
      await client.create(replicaSet, { metadata, spec: { replicas: 3, selector, template: template() } })
      await pass(60)
      await client.patch(replicaSet, ref, "merge", { spec: { replicas: 1 } })
      await pass(60)
      await client.patch(service, ref, "merge", { spec: { ports: [{ port: 81, protocol: "TCP" }] } })
      await pass(30)
    },
  },
  "a namespace goes with all that is in it": {
    controllers: ["namespace-controller"],
    async run({ client, pass }) {
      await client.create(namespaceKind, { metadata: { name: "gone" }, spec: {} })
      for (const name of ["a", "b"]) await client.create(configMap, { metadata: { namespace: "gone", name } })
      await client.create(deployment, {
        metadata: { namespace: "gone", name: "web" },
        spec: { replicas: 2, selector, template: template() },
      })
      await pass(30)
      await client.delete(namespaceKind, { name: "gone" })
      await pass(240)
    },
  },
  "what is owned goes with its owner, before it or not at all": {
    controllers: ["garbage-collector-controller"],
    async run({ client, pass }) {
      for (const name of ["background", "foreground", "orphan"])
        await client.create(deployment, {
          metadata: { namespace, name },
          spec: {
            replicas: 2,
            selector: { matchLabels: { app: name } },
            template: { ...template(), metadata: { labels: { app: name } } },
          },
        })
      await pass(30)
      for (const [name, propagationPolicy] of [
        ["background", "Background"],
        ["foreground", "Foreground"],
        ["orphan", "Orphan"],
      ] as const)
        await client.delete(deployment, { namespace, name }, { propagationPolicy })
      await pass(180)
    },
  },
  "a quota counts what is there": {
    controllers: ["resourcequota-controller"],
    async run({ client, pass }) {
      await client.create(resourceQuota, {
        metadata,
        spec: { hard: { pods: "10", configmaps: "10" } },
      } as never)
      await client.create(replicaSet, { metadata, spec: { replicas: 3, selector, template: template() } })
      await pass(60)
      await client.patch(replicaSet, ref, "merge", { spec: { replicas: 1 } })
      await pass(400)
    },
  },
  "claims find their volumes and give them back": {
    controllers: [
      "persistentvolume-binder-controller",
      "pvc-protection-controller",
      "pv-protection-controller",
    ],
    async run({ client, pass }) {
      for (const name of ["small", "large"])
        await client.create(persistentVolume, {
          metadata: { name },
          spec: {
            capacity: { storage: name === "small" ? "1Gi" : "5Gi" },
            accessModes: ["ReadWriteOnce"],
            persistentVolumeReclaimPolicy: "Retain",
            hostPath: { path: "/data" },
          },
        } as never)
      for (const name of ["first", "second"])
        await client.create(persistentVolumeClaim, {
          metadata: { namespace, name },
          spec: {
            accessModes: ["ReadWriteOnce"],
            storageClassName: "",
            resources: { requests: { storage: name === "first" ? "1Gi" : "2Gi" } },
          },
        } as never)
      await pass(60)
      await client.delete(persistentVolumeClaim, { namespace, name: "second" })
      await pass(60)
    },
  },
}
