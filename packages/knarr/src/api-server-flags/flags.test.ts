import assert from "node:assert/strict"
import { resolve } from "node:path"
import { describe, it } from "node:test"
import { apiServerFlags, apiServerOptions, keepApiServerFlags } from "./order.ts"

describe("Flags of the API server", () => {
  it("are kept from one start to the next, with paths that stay right, until they are taken back", () => {
    const first = keepApiServerFlags({
      "audit-policy-file": "policy.yaml",
      "audit-log-path": "-",
      other: "x",
    })
    assert.deepEqual(first, { "audit-policy-file": resolve("policy.yaml"), "audit-log-path": "-" })
    const second = keepApiServerFlags({ "audit-log-compress": true, "audit-log-path": "" }, first)
    assert.deepEqual(second, { "audit-policy-file": resolve("policy.yaml"), "audit-log-compress": "true" })
  })

  it("become options of the audit log", () => {
    const { audit } = apiServerOptions({
      "audit-policy-file": "/p",
      "audit-log-path": "/l",
      "audit-log-maxsize": "5",
      "audit-log-mode": "batch",
      "audit-log-batch-max-wait": "1m30s",
      "audit-log-truncate-enabled": "true",
      "audit-log-truncate-max-event-size": "1000",
    })
    assert.equal(audit?.policyFile, "/p")
    assert.equal(audit.webhook, undefined)
    assert.deepEqual(
      [audit.log?.path, audit.log?.maxSizeMegabytes, audit.log?.mode, audit.log?.batch?.maxWaitMs],
      ["/l", 5, "batch", 90_000],
    )
    assert.equal(audit.log?.truncate?.maxEventBytes, 1000)
    assert.equal(apiServerOptions({ "audit-log-path": "/l" }).audit, undefined)
  })

  for (const [name, value, message] of [
    ["audit-log-mode", "never", /^invalid audit log mode never, allowed modes are/],
    ["audit-log-maxage", "-1", /^--audit-log-maxage -1 can't be a negative number$/],
    ["audit-log-maxage", "x", /^invalid argument "x" for "--audit-log-maxage" flag: must be a whole number$/],
    [
      "audit-webhook-batch-throttle-qps",
      "0",
      /^invalid audit batch webhook throttle QPS 0, must be a positive/,
    ],
    ["audit-webhook-version", "v1", /^invalid group version/],
    ["goaway-chance", "0.5", /^--goaway-chance can not be less than 0 or greater than 0.02$/],
    ["request-timeout", "-1s", /^--request-timeout can not be negative value$/],
    ["shutdown-delay-duration", "1m", /^--shutdown-delay-duration can not be greater than 5s here$/],
    [
      "bind-address",
      "localhost",
      /^invalid argument "localhost" for "--bind-address" flag: failed to parse IP: "localhost"$/,
    ],
    [
      "storage-backend",
      "etcd2",
      /^--storage-backend invalid, allowed values: etcd3\. If not specified, it will default to 'etcd3'$/,
    ],
    [
      "storage-media-type",
      "text/plain",
      /^--storage-media-type "text\/plain" invalid, allowed values: application\/json, application\/vnd/,
    ],
    ["storage-media-type", "application/json", /^--storage-media-type application\/json can not be had: /],
    ["etcd-servers-overrides", "events#http://a", /^--etcd-servers-overrides invalid, must be of format: /],
    ["etcd-servers-overrides", "/events#http://a;;b", /^--etcd-servers-overrides invalid, must be of/],
    ["etcd-servers-overrides", "/events#http://a", /^--etcd-servers-overrides can not be had: /],
    ["etcd-compaction-interval", "-1s", /^--etcd-compaction-interval can not be negative value$/],
    ["etcd-healthcheck-timeout", "2", /^invalid argument "2" for "--etcd-healthcheck-timeout" flag: /],
    ["lease-reuse-duration-seconds", "-1", /^--lease-reuse-duration-seconds can not be negative value$/],
    ["max-requests-inflight", "-1", /^--max-requests-inflight can not be negative value$/],
  ] as const)
    it(`are refused: --${name}=${value}`, () => {
      assert.throws(() => keepApiServerFlags({ [name]: value }), { message })
    })

  it("become options of the store", () => {
    const options = apiServerOptions({
      "etcd-compaction-interval": "0",
      "etcd-healthcheck-timeout": "3s",
      "etcd-readycheck-timeout": "0s",
      "lease-reuse-duration-seconds": "30",
      "storage-backend": "etcd3",
      "storage-media-type": "application/vnd.kubernetes.protobuf",
    })
    assert.equal(options.compactionIntervalMs, 0)
    assert.deepEqual(options.storeChecks, { healthMs: 3000 })
    assert.equal(options.leaseReuseSeconds, 30)
    assert.equal(options.storageFormat, undefined)
    assert.equal(apiServerOptions({ "etcd-servers": "http://127.0.0.1:1" }).storageFormat, "shared")
  })

  it("are texts, or switches", () => {
    assert.equal(apiServerFlags["audit-log-path"]?.type, "string")
    assert.equal(apiServerFlags["audit-log-compress"]?.type, "boolean")
  })
})
