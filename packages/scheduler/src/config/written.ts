/** KubeSchedulerConfiguration v1, as operators write it. Mirrors: kube-scheduler config/v1/types.go */
import type { SchemaTable } from "@knarr/apimachinery"
import type { ConfigType } from "@knarr/client"
import { extensionPoints, type PluginSets } from "../framework/points.ts"

export const configurationVersion = "kubescheduler.config.k8s.io/v1"

export interface LeaderElection {
  readonly leaderElect?: boolean | undefined
  /** Go's durations, such as `15s`. */
  readonly leaseDuration?: string | undefined
  readonly renewDeadline?: string | undefined
  readonly retryPeriod?: string | undefined
  readonly resourceLock?: string | undefined
  readonly resourceName?: string | undefined
  readonly resourceNamespace?: string | undefined
}

/** A program of somebody else's that is asked by HTTP. */
export interface WrittenExtender {
  readonly urlPrefix?: string | undefined
  readonly filterVerb?: string | undefined
  readonly preemptVerb?: string | undefined
  readonly prioritizeVerb?: string | undefined
  readonly bindVerb?: string | undefined
  readonly weight?: number | undefined
  readonly enableHTTPS?: boolean | undefined
  readonly tlsConfig?:
    | {
        readonly insecure?: boolean | undefined
        readonly serverName?: string | undefined
        readonly certFile?: string | undefined
        readonly keyFile?: string | undefined
        readonly caFile?: string | undefined
        /** Base64 of PEM. */
        readonly certData?: string | undefined
        readonly keyData?: string | undefined
        readonly caData?: string | undefined
      }
    | undefined
  readonly httpTimeout?: string | undefined
  readonly nodeCacheCapable?: boolean | undefined
  readonly managedResources?:
    | readonly { readonly name?: string | undefined; readonly ignoredByScheduler?: boolean | undefined }[]
    | undefined
  readonly ignorable?: boolean | undefined
}

export interface WrittenPluginConfig {
  readonly name: string
  readonly args?: Readonly<Record<string, unknown>> | undefined
}

export interface WrittenProfile {
  readonly schedulerName?: string | undefined
  readonly percentageOfNodesToScore?: number | undefined
  readonly plugins?: PluginSets | undefined
  readonly pluginConfig?: readonly WrittenPluginConfig[] | undefined
}

export interface WrittenConfiguration {
  readonly parallelism?: number | undefined
  readonly leaderElection?: LeaderElection | undefined
  readonly clientConnection?: Readonly<Record<string, unknown>> & { readonly burst?: number | undefined }
  readonly enableProfiling?: boolean | undefined
  readonly enableContentionProfiling?: boolean | undefined
  readonly percentageOfNodesToScore?: number | undefined
  readonly podInitialBackoffSeconds?: number | undefined
  readonly podMaxBackoffSeconds?: number | undefined
  readonly profiles?: readonly WrittenProfile[] | undefined
  readonly extenders?: readonly WrittenExtender[] | undefined
  readonly delayCacheUntilActive?: boolean | undefined
}

/** With the defaults. */
export interface CompleteProfile extends WrittenProfile {
  readonly plugins: PluginSets
  /** Of every plugin that is wanted and takes any, after those that are written. */
  readonly pluginConfig: readonly WrittenPluginConfig[]
}

export type CompleteConfiguration = Omit<WrittenConfiguration, "profiles"> & {
  readonly profiles: readonly CompleteProfile[]
}

export const defaultElection = {
  leaseDuration: "15s",
  renewDeadline: "10s",
  retryPeriod: "2s",
  resourceLock: "leases",
  resourceName: "kube-scheduler",
  resourceNamespace: "kube-system",
} as const

const pluginSetRows = Object.fromEntries(
  [...extensionPoints, "multiPoint", "placementGenerate", "placementScore", "podGroupPostFilter"].map(
    (point) => [point, "PluginSet"],
  ),
)

const table: SchemaTable = {
  KubeSchedulerConfiguration: {
    apiVersion: "string",
    clientConnection: "ClientConnectionConfiguration",
    delayCacheUntilActive: "boolean",
    enableContentionProfiling: "boolean",
    enableProfiling: "boolean",
    extenders: "[]Extender",
    kind: "string",
    leaderElection: "LeaderElectionConfiguration",
    parallelism: "int32",
    percentageOfNodesToScore: "int32",
    podInitialBackoffSeconds: "int64",
    podMaxBackoffSeconds: "int64",
    profiles: "[]KubeSchedulerProfile",
  },
  ClientConnectionConfiguration: {
    acceptContentTypes: "string",
    burst: "int32",
    contentType: "string",
    kubeconfig: "string",
    qps: "double",
  },
  LeaderElectionConfiguration: {
    leaderElect: "boolean",
    leaseDuration: "string",
    renewDeadline: "string",
    resourceLock: "string",
    resourceName: "string",
    resourceNamespace: "string",
    retryPeriod: "string",
  },
  KubeSchedulerProfile: {
    percentageOfNodesToScore: "int32",
    pluginConfig: "[]PluginConfig",
    plugins: "Plugins",
    schedulerName: "string",
  },
  Plugins: pluginSetRows,
  PluginSet: { disabled: "[]Plugin", enabled: "[]Plugin" },
  Plugin: { name: "string", weight: "int32" },
  PluginConfig: { args: "any", name: "string" },
  Extender: {
    bindVerb: "string",
    enableHTTPS: "boolean",
    filterVerb: "string",
    httpTimeout: "string",
    ignorable: "boolean",
    managedResources: "[]ExtenderManagedResource",
    nodeCacheCapable: "boolean",
    preemptVerb: "string",
    prioritizeVerb: "string",
    tlsConfig: "ExtenderTLSConfig",
    urlPrefix: "string",
    weight: "int64",
  },
  ExtenderManagedResource: { ignoredByScheduler: "boolean", name: "string" },
  ExtenderTLSConfig: {
    caData: "bytes",
    caFile: "string",
    certData: "bytes",
    certFile: "string",
    insecure: "boolean",
    keyData: "bytes",
    keyFile: "string",
    serverName: "string",
  },
}

export const packageName = "io.k8s.kube-scheduler.config.v1"
export const configurationType: ConfigType = {
  apiVersions: [configurationVersion],
  kind: "KubeSchedulerConfiguration",
  packageName,
  table,
}
