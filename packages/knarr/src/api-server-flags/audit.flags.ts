/** Flags of the audit log. Mirrors: apiserver pkg/server/options/audit.go */
import type { AuditBackendOptions } from "@knarr/apiserver"
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup, FlagType, GivenFlags } from "./flag-group.ts"

const modes = ["batch", "blocking", "blocking-strict"] as const

function flagsOf(backend: string): Readonly<Record<string, FlagType>> {
  return {
    [`audit-${backend}-mode`]: "text",
    [`audit-${backend}-version`]: "text",
    [`audit-${backend}-batch-buffer-size`]: "text",
    [`audit-${backend}-batch-max-size`]: "text",
    [`audit-${backend}-batch-max-wait`]: "text",
    [`audit-${backend}-batch-throttle-enable`]: "switch",
    [`audit-${backend}-batch-throttle-qps`]: "text",
    [`audit-${backend}-batch-throttle-burst`]: "text",
    [`audit-${backend}-truncate-enabled`]: "switch",
    [`audit-${backend}-truncate-max-batch-size`]: "text",
    [`audit-${backend}-truncate-max-event-size`]: "text",
  }
}

export const auditFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "audit-policy-file": "file",
    "audit-log-path": "file",
    "audit-log-format": "text",
    "audit-log-maxage": "text",
    "audit-log-maxbackup": "text",
    "audit-log-maxsize": "text",
    "audit-log-compress": "switch",
    ...flagsOf("log"),
    "audit-webhook-config-file": "file",
    "audit-webhook-initial-backoff": "text",
    "audit-webhook-batch-initial-backoff": "text",
    ...flagsOf("webhook"),
  },
  read(given) {
    const policyFile = given.text("audit-policy-file")
    const path = given.text("audit-log-path")
    const configFile = given.text("audit-webhook-config-file")
    const log = {
      format: oneOf(given, "audit-log-format", ["legacy", "json"] as const, "log format"),
      maxAgeDays: notNegative(given, "audit-log-maxage"),
      maxBackups: notNegative(given, "audit-log-maxbackup"),
      maxSizeMegabytes: notNegative(given, "audit-log-maxsize"),
      compress: given.switch("audit-log-compress"),
      ...backendOf(given, "log"),
    }
    const webhook = {
      initialBackoffMs:
        given.durationMs("audit-webhook-initial-backoff") ??
        given.durationMs("audit-webhook-batch-initial-backoff"),
      ...backendOf(given, "webhook"),
    }
    // Without a policy nothing is recorded, as upstream; one that has no place to record to is read and must be right.
    if (policyFile === undefined) return {}
    return {
      audit: {
        policyFile,
        ...(path === undefined ? {} : { log: { path, ...log } }),
        ...(configFile === undefined ? {} : { webhook: { configFile, ...webhook } }),
      },
    }
  },
})

function backendOf(given: GivenFlags, name: string): AuditBackendOptions {
  const flag = (rest: string): string => `audit-${name}-${rest}`
  const version = given.text(flag("version"))
  if (version !== undefined && version !== "audit.k8s.io/v1")
    throw new UsageError('invalid group version, allowed versions are ["audit.k8s.io/v1"]')
  const truncate = {
    maxBatchBytes: positive(given, flag("truncate-max-batch-size"), `truncate ${name} max batch size`),
    maxEventBytes: positive(given, flag("truncate-max-event-size"), `truncate ${name} max event size`),
  }
  return {
    mode: oneOf(given, flag("mode"), modes, `${name} mode`),
    batch: {
      bufferSize: positive(given, flag("batch-buffer-size"), `batch ${name} buffer size`),
      maxBatchSize: positive(given, flag("batch-max-size"), `batch ${name} max batch size`),
      maxWaitMs: given.durationMs(flag("batch-max-wait")),
      throttle: given.switch(flag("batch-throttle-enable")),
      throttleQps: positive(given, flag("batch-throttle-qps"), `batch ${name} throttle QPS`),
      throttleBurst: positive(given, flag("batch-throttle-burst"), `batch ${name} throttle burst`),
    },
    truncate: given.switch(flag("truncate-enabled")) ? truncate : undefined,
  }
}

function oneOf<T extends string>(
  given: GivenFlags,
  flag: string,
  allowed: readonly T[],
  what: string,
): T | undefined {
  const text = given.text(flag)
  if (text === undefined || allowed.includes(text as T)) return text as T | undefined
  const noun = what.split(" ").pop()
  throw new UsageError(`invalid audit ${what} ${text}, allowed ${noun}s are ${JSON.stringify(allowed)}`)
}

function positive(given: GivenFlags, flag: string, what: string): number | undefined {
  const value = given.number(flag)
  if (value === undefined || value > 0) return value
  throw new UsageError(`invalid audit ${what} ${value}, must be a positive number`)
}

function notNegative(given: GivenFlags, flag: string): number | undefined {
  const value = given.integer(flag)
  if (value === undefined || value >= 0) return value
  throw new UsageError(`--${flag} ${value} can't be a negative number`)
}
