/**
 * Every field that a pod can set, and what a node makes of it. A field of a new release fails here until somebody has
 * decided; what cannot be had is refused where everybody sees it, and nothing of the pod runs.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  dropDisabledFields,
  pod as podKind,
  resourceClaim,
  runtimeClass,
  type Pod,
  type Volume,
} from "@knarr/api"
import { SimulatedHost, createSimulatedMachine, createSimulatedRuntime, startKubelet } from "@knarr/kubelet"
import type { Schema } from "@knarr/apimachinery"
import { startControlPlane } from "knarr/testing"
import { PodApi, nodeClient, nodeName, testLog } from "./kubelet-world.ts"

/**
 * - `here`: the node does it, and looks at the fields below it;
 * - `elsewhere`: the API server, a controller or the scheduler has done with it before the node sees it;
 * - `refused`: an example below shows how;
 * - `off`: of a feature that is off in this release: dropped by the API server, an error in a static pod;
 * - `nothing`: upstream's kubelet does nothing with it on Linux, either.
 */
type Decision = "here" | "elsewhere" | "refused" | "off" | "nothing"

const projection = { here: "name optional items" }
const container = {
  here:
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy " +
    "resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce terminationMessagePath " +
    "terminationMessagePolicy tty volumeDevices volumeMounts workingDir",
}

const core = "io.k8s.api.core.v1."
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1."

const decisions: Readonly<Record<string, { readonly [D in Decision]?: string }>> = {
  PodSpec: {
    here:
      "activeDeadlineSeconds affinity containers dnsConfig dnsPolicy enableServiceLinks ephemeralContainers hostAliases " +
      "hostIPC hostNetwork hostPID hostname hostnameOverride imagePullSecrets initContainers nodeName overhead priority " +
      "readinessGates resources restartPolicy securityContext serviceAccountName setHostnameAsFQDN " +
      "shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations volumes",
    elsewhere:
      "automountServiceAccountToken nodeSelector preemptionPolicy priorityClassName schedulerName schedulingGates " +
      "serviceAccount topologySpreadConstraints",
    refused: "hostUsers os resourceClaims runtimeClassName",
    off: "evictionResponders schedulingGroup",
  },
  Affinity: { here: "nodeAffinity", elsewhere: "podAffinity podAntiAffinity" },
  NodeAffinity: {
    here: "requiredDuringSchedulingIgnoredDuringExecution",
    elsewhere: "preferredDuringSchedulingIgnoredDuringExecution",
  },
  NodeSelector: { here: "nodeSelectorTerms" },
  NodeSelectorTerm: { here: "matchExpressions matchFields" },
  NodeSelectorRequirement: { here: "key operator values" },
  Container: container,
  EphemeralContainer: { here: `${container.here} targetContainerName` },
  EnvVar: { here: "name value valueFrom" },
  EnvVarSource: { here: "configMapKeyRef fieldRef fileKeyRef resourceFieldRef secretKeyRef" },
  ConfigMapKeySelector: { here: "key name optional" },
  SecretKeySelector: { here: "key name optional" },
  ObjectFieldSelector: { here: "fieldPath", elsewhere: "apiVersion" },
  FileKeySelector: { here: "key optional path volumeName" },
  ResourceFieldSelector: { here: "containerName divisor resource" },
  EnvFromSource: { here: "configMapRef prefix secretRef" },
  ConfigMapEnvSource: { here: "name optional" },
  SecretEnvSource: { here: "name optional" },
  Lifecycle: { here: "postStart preStop", off: "stopSignal" },
  LifecycleHandler: { here: "exec httpGet sleep", refused: "tcpSocket" },
  ExecAction: { here: "command" },
  HTTPGetAction: { here: "host httpHeaders path port scheme", off: "protocol" },
  HTTPHeader: { here: "name value" },
  SleepAction: { here: "seconds" },
  Probe: {
    here:
      "exec failureThreshold grpc httpGet initialDelaySeconds periodSeconds successThreshold tcpSocket " +
      "terminationGracePeriodSeconds timeoutSeconds",
  },
  TCPSocketAction: { here: "host port" },
  GRPCAction: { here: "port service", off: "mode" },
  ContainerPort: { here: "containerPort hostIP hostPort name protocol" },
  ContainerResizePolicy: { here: "resourceName restartPolicy" },
  // Huge pages that the machine does not have are refused; `claims` stand for what `resourceClaims` asks for.
  ResourceRequirements: { here: "limits", refused: "claims requests" },
  ContainerRestartRule: { here: "action exitCodes" },
  ContainerRestartRuleOnExitCodes: { here: "operator values" },
  SecurityContext: {
    here:
      "allowPrivilegeEscalation capabilities privileged readOnlyRootFilesystem runAsGroup runAsNonRoot runAsUser " +
      "seccompProfile",
    // Unmasked is valid only together with a user namespace.
    refused: "appArmorProfile procMount seLinuxOptions",
    nothing: "windowsOptions",
  },
  Capabilities: { here: "add drop" },
  SeccompProfile: { here: "localhostProfile type" },
  VolumeDevice: { here: "devicePath name" },
  VolumeMount: {
    here: "mountPath mountPropagation name readOnly subPath subPathExpr",
    refused: "recursiveReadOnly",
    off: "bindMountOptions",
  },
  PodDNSConfig: { here: "nameservers options searches" },
  PodDNSConfigOption: { here: "name value" },
  HostAlias: { here: "hostnames ip" },
  LocalObjectReference: { here: "name" },
  PodReadinessGate: { here: "conditionType" },
  PodSecurityContext: {
    here: "fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seccompProfile supplementalGroups",
    refused: "appArmorProfile seLinuxOptions supplementalGroupsPolicy sysctls",
    // How volumes are labelled: only with SELinux options, which are refused where they mean something.
    nothing: "seLinuxChangePolicy windowsOptions",
  },
  Toleration: { here: "effect key operator value", elsewhere: "tolerationSeconds" },
  Volume: {
    // What `ephemeral` asks for is a claim that a controller makes; the node waits for it.
    here: "configMap downwardAPI emptyDir ephemeral hostPath image name persistentVolumeClaim projected secret",
    refused:
      "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk gitRepo " +
      "glusterfs iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume",
  },
  ConfigMapVolumeSource: { here: "defaultMode defaultUser items name optional" },
  KeyToPath: { here: "key mode path user" },
  DownwardAPIVolumeSource: { here: "defaultMode defaultUser items" },
  DownwardAPIVolumeFile: { here: "fieldRef mode path resourceFieldRef user" },
  EmptyDirVolumeSource: { here: "medium sizeLimit", off: "mode" },
  ImageVolumeSource: { here: "pullPolicy reference" },
  EphemeralVolumeSource: { elsewhere: "volumeClaimTemplate" },
  HostPathVolumeSource: { here: "path type" },
  PersistentVolumeClaimVolumeSource: { here: "claimName readOnly" },
  ProjectedVolumeSource: { here: "defaultMode defaultUser sources" },
  VolumeProjection: {
    here: "clusterTrustBundle configMap downwardAPI podCertificate secret serviceAccountToken",
  },
  ConfigMapProjection: projection,
  SecretProjection: projection,
  DownwardAPIProjection: { here: "items" },
  ClusterTrustBundleProjection: { here: "labelSelector name optional path signerName user" },
  PodCertificateProjection: {
    here:
      "certificateChainPath credentialBundlePath keyPath keyType maxExpirationSeconds signerName user " +
      "userAnnotations",
  },
  [`${meta}LabelSelector`]: { here: "matchExpressions matchLabels" },
  [`${meta}LabelSelectorRequirement`]: { here: "key operator values" },
  ServiceAccountTokenProjection: { here: "audience expirationSeconds path user" },
  SecretVolumeSource: { here: "defaultMode defaultUser items optional secretName" },
}

function decide(type: string): Map<string, Decision> {
  const out = new Map<string, Decision>()
  for (const [decision, names] of Object.entries(decisions[type] ?? {}))
    for (const name of names.split(" ")) {
      assert.ok(!out.has(name), `${type}.${name} is decided twice`)
      out.set(name, decision as Decision)
    }
  return out
}

/** The object that a field leads to, through lists and maps. */
function objectOf(schema: Schema): Schema {
  const inner = schema.items ?? schema.values
  return inner ? objectOf(inner) : schema
}

test("Every field of a pod is done, refused, or known to be nobody's on this node", () => {
  const seen = new Set<string>()
  const decided = new Map<string, Decision>()
  const walk = (schema: Schema): void => {
    const { name, fields } = objectOf(schema)
    if (!name || !fields || seen.has(name)) return
    seen.add(name)
    const type = name.startsWith(core) ? name.slice(core.length) : name
    const rows = decide(type)
    assert.deepEqual([...rows.keys()].sort(), [...fields.keys()].sort(), `the fields of ${type}`)
    for (const [field, decision] of rows) {
      decided.set(`${type}.${field}`, decision)
      if (decision === "here") walk(fields.get(field)!.schema)
    }
  }
  walk(podKind.schema.fields!.get("spec")!.schema)
  assert.deepEqual(
    Object.keys(decisions).filter((type) => !seen.has(type) && !seen.has(core + type)),
    [],
    "types that no pod leads to",
  )
  const refused = [...decided].filter(([, decision]) => decision === "refused").map(([field]) => field)
  assert.deepEqual([...new Set(examples.map(({ field }) => field))].sort(), refused.sort())
  const off = [...decided].filter(([, decision]) => decision === "off").map(([field]) => field)
  assert.deepEqual(Object.keys(disabled).sort(), off.sort())
})

test("Fields of features that are off never reach a node", () => {
  for (const [field, spec] of Object.entries(disabled)) {
    const before = JSON.stringify(spec)
    dropDisabledFields(spec as Pod["spec"])
    assert.notEqual(JSON.stringify(spec), before, field)
  }
})

const app = { name: "app", image: "example.com/app:1" }

/** A spec for each field that is off. */
const disabled: Readonly<Record<string, object>> = {
  "PodSpec.evictionResponders": { containers: [app], evictionResponders: [{ name: "x.example/y" }] },
  "PodSpec.schedulingGroup": { containers: [app], schedulingGroup: { podGroupName: "g" } },
  "Lifecycle.stopSignal": { containers: [{ ...app, lifecycle: { stopSignal: "SIGINT" } }] },
  "HTTPGetAction.protocol": {
    containers: [{ ...app, livenessProbe: { httpGet: { port: 1, protocol: "HTTP2" } } }],
  },
  "GRPCAction.mode": { containers: [{ ...app, livenessProbe: { grpc: { port: 1, mode: "TLS" } } }] },
  "VolumeMount.bindMountOptions": {
    containers: [{ ...app, volumeMounts: [{ name: "v", mountPath: "/v", bindMountOptions: ["noexec"] }] }],
  },
  "EmptyDirVolumeSource.mode": { containers: [app], volumes: [{ name: "v", emptyDir: { mode: 0o700 } }] },
}

interface Example {
  readonly field: string
  readonly spec: object
  /** The pod ends at once with this reason and message. */
  readonly failed?: readonly [reason: string, message: string]
  /** The pod waits, and an event says why. */
  readonly event?: string
  /** Its container begins, and is ended for it. */
  readonly ends?: boolean
  /** So does the state of its container. */
  readonly waiting?: readonly [reason: string, message: string]
}

const sandbox = (why: string): string => `FailedCreatePodSandBox: Failed to create pod sandbox: ${why}`
const resources = (why: string): string =>
  `FailedPrepareDynamicResources: Failed to prepare dynamic resources: ${why}`
const mounting = { name: "v", mountPath: "/v" }
const emptyDir = [{ name: "v", emptyDir: {} }]
const appArmor = ["AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host"] as const
const seLinux = ["SELinux", "Cannot enforce SELinux: this node does not label containers"] as const
const noUserNamespaces = "can't set `spec.hostUsers: false`, runtime does not support user namespaces"

const volumeSources: readonly Omit<Volume, "name">[] = [
  { awsElasticBlockStore: { volumeID: "v" } },
  { azureDisk: { diskName: "d", diskURI: "/subscriptions/x", kind: "Managed" } },
  { azureFile: { secretName: "s", shareName: "s" } },
  { cephfs: { monitors: ["m"] } },
  { cinder: { volumeID: "v" } },
  { csi: { driver: "driver.example.com" } },
  { fc: { targetWWNs: ["w"], lun: 0 } },
  { flexVolume: { driver: "example.com/driver" } },
  { flocker: { datasetName: "d" } },
  { gcePersistentDisk: { pdName: "d" } },
  { gitRepo: { repository: "r" } },
  { glusterfs: { endpoints: "e", path: "p" } },
  { iscsi: { targetPortal: "192.0.2.1", iqn: "iqn.2001-04.com.example:a", lun: 0 } },
  { nfs: { server: "s", path: "/" } },
  { photonPersistentDisk: { pdID: "p" } },
  { portworxVolume: { volumeID: "v" } },
  { quobyte: { registry: "r:1", volume: "v" } },
  { rbd: { monitors: ["m"], image: "i" } },
  { scaleIO: { gateway: "g", system: "s", volumeName: "v", secretRef: { name: "s" } } },
  { storageos: { volumeName: "v" } },
  { vsphereVolume: { volumePath: "p" } },
]

const examples: readonly Example[] = [
  { field: "PodSpec.hostUsers", spec: { hostUsers: false }, event: sandbox(noUserNamespaces) },
  {
    field: "PodSpec.hostUsers",
    spec: { hostUsers: false, runtimeClassName: "gvisor" },
    event: sandbox(
      'can\'t set `spec.hostUsers: false`, RuntimeClass handler "runsc" does not support user namespaces',
    ),
  },
  {
    field: "SecurityContext.procMount",
    spec: { hostUsers: false, containers: [{ ...app, securityContext: { procMount: "Unmasked" } }] },
    event: sandbox(noUserNamespaces),
  },
  {
    field: "PodSpec.os",
    spec: { os: { name: "windows" } },
    failed: ["PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"],
  },
  {
    field: "PodSpec.runtimeClassName",
    spec: { runtimeClassName: "gvisor" },
    event: sandbox('rpc error: code = Unknown desc = no runtime for "runsc" is configured'),
  },
  {
    field: "PodSpec.resourceClaims",
    spec: { resourceClaims: [{ name: "c", resourceClaimName: "missing" }] },
    event: resources('fetch ResourceClaim missing: resourceclaims.resource.k8s.io "missing" not found'),
  },
  {
    field: "PodSpec.resourceClaims",
    spec: { resourceClaims: [{ name: "c", resourceClaimTemplateName: "t" }] },
    event: resources('pod "default/NAME": ResourceClaim not created yet'),
  },
  {
    field: "ResourceRequirements.claims",
    spec: {
      resourceClaims: [{ name: "c", resourceClaimName: "claim" }],
      containers: [{ ...app, resources: { claims: [{ name: "c" }] } }],
    },
    event: resources("pod NAME (UID) is not allowed to use ResourceClaim claim (CLAIM)"),
  },
  {
    field: "ResourceRequirements.requests",
    spec: {
      containers: [
        {
          ...app,
          resources: { requests: { "hugepages-2Mi": "2Mi", cpu: "1m" }, limits: { "hugepages-2Mi": "2Mi" } },
        },
      ],
    },
    failed: [
      "OutOfhugepages-2Mi",
      "Node didn't have enough resource: hugepages-2Mi, requested: 2097152, used: 0, capacity: 0",
    ],
  },
  {
    field: "LifecycleHandler.tcpSocket",
    spec: { containers: [{ ...app, lifecycle: { postStart: { tcpSocket: { port: 1 } } } }] },
    event: "FailedPostStartHook: PostStartHook failed",
    ends: true,
  },
  ...["RuntimeDefault", "Localhost"].map((type): Example => {
    const appArmorProfile = { type, ...(type === "Localhost" ? { localhostProfile: "p" } : {}) }
    return {
      field: "SecurityContext.appArmorProfile",
      spec: { containers: [{ ...app, securityContext: { appArmorProfile } }] },
      failed: appArmor,
    }
  }),
  {
    field: "SecurityContext.appArmorProfile",
    spec: {
      containers: [app],
      initContainers: [
        { ...app, name: "init", securityContext: { appArmorProfile: { type: "RuntimeDefault" } } },
      ],
    },
    failed: appArmor,
  },
  {
    field: "PodSecurityContext.appArmorProfile",
    spec: { securityContext: { appArmorProfile: { type: "RuntimeDefault" } } },
    failed: appArmor,
  },
  {
    field: "SecurityContext.seLinuxOptions",
    spec: { containers: [{ ...app, securityContext: { seLinuxOptions: { type: "container_t" } } }] },
    failed: seLinux,
  },
  {
    field: "PodSecurityContext.seLinuxOptions",
    spec: { securityContext: { seLinuxOptions: { level: "s0:c1" } } },
    failed: seLinux,
  },
  {
    field: "PodSecurityContext.supplementalGroupsPolicy",
    spec: { securityContext: { supplementalGroupsPolicy: "Strict" } },
    failed: [
      "SupplementalGroupsPolicyNotSupported",
      "SupplementalGroupsPolicy=Strict is not supported in this node",
    ],
  },
  {
    field: "PodSecurityContext.sysctls",
    spec: { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
    failed: ["SysctlForbidden", 'forbidden sysctl: "kernel.msgmax" not allowlisted'],
  },
  {
    field: "VolumeMount.recursiveReadOnly",
    spec: {
      containers: [{ ...app, volumeMounts: [{ ...mounting, readOnly: true, recursiveReadOnly: "Enabled" }] }],
      volumes: emptyDir,
    },
    waiting: [
      "CreateContainerConfigError",
      'volume "v" requested recursive read-only mode, but it is not supported by the runtime',
    ],
  },
  ...volumeSources.map((source): Example => {
    const [name] = Object.keys(source)
    return {
      field: `Volume.${name}`,
      spec: { volumes: [{ name: "v", ...source }] },
      event: `FailedMount: MountVolume.SetUp failed for volume "v" : no volume plugin matched: this node has none for "${name}"`,
    }
  }),
]

test("What a pod asks for and cannot have is refused, and nothing of the pod runs", async (t) => {
  await using cluster = await startControlPlane({ seed: 1, log: testLog })
  const clock = cluster.clock!
  const { client } = cluster
  const api = new PodApi(cluster)
  const env = cluster.env
  const host = new SimulatedHost({ env, runtimeHandlers: ["runc"] })
  await startKubelet({
    ...{ env, scope: cluster.scope, client: nodeClient(cluster), nodeName, version: "v1.37.2" },
    runtime: createSimulatedRuntime(host),
    machine: createSimulatedMachine({ hostname: nodeName, appArmor: false, seLinux: true }),
    maxPods: 200,
  })
  await client.create(runtimeClass, { metadata: { name: "gvisor" }, handler: "runsc" })
  const claim = await client.create(resourceClaim, {
    metadata: { namespace: "default", name: "claim" },
    spec: { devices: {} },
  })
  // The others must not suffer.
  await api.createPod("plain", { containers: [app] })
  for (const [i, { spec }] of examples.entries())
    await api.createPod(`p${i}`, { containers: [app], ...spec } as Pod["spec"])
  const limit = { limitMs: 600_000, what: "the refusals" }
  await clock.runUntil(() => api.isReady("plain"), limit)
  for (const [i, { field, failed, event, ends, waiting }] of examples.entries())
    await t.test(`${field} ${i}`, async () => {
      const name = `p${i}`
      const { uid } = api.pod(name)!.metadata
      const words = event?.replace("NAME", name).replace("UID", uid).replace("CLAIM", claim.metadata.uid)
      const state = (): object | undefined => api.pod(name)!.status.containerStatuses?.[0]?.state?.waiting
      const told = (): boolean => {
        if (failed) return api.pod(name)!.status.phase === "Failed"
        if (waiting) return JSON.stringify(state())?.includes(waiting[0]) === true
        return api.eventsOf(name).includes(words!)
      }
      await clock.runUntil(told, { ...limit, what: `${field}: ${words} in ${api.eventsOf(name).join("\n")}` })
      const { status } = api.pod(name)!
      if (failed) {
        assert.equal(status.reason, failed[0])
        assert.equal(status.message, `Pod was rejected: ${failed[1]}`)
        assert.ok(api.eventsOf(name).includes(`${failed[0]}: ${failed[1]}`))
      } else assert.equal(status.phase, ends ? "Running" : "Pending")
      if (waiting) assert.deepEqual(state(), { reason: waiting[0], message: waiting[1] })
      const runs = [...host.containers.values()].filter(
        ({ sandbox, state }) => sandbox.config.metadata!.uid === uid && state === "CONTAINER_RUNNING",
      )
      assert.deepEqual(runs, [])
    })
})
