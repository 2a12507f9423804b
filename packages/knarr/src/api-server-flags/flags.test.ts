import assert from "node:assert/strict"
import { resolve } from "node:path"
import { describe, it } from "node:test"
import { ConfigFileError } from "@knarr/client"
import { controllersElection, controllersOptions } from "./controllers.flags.ts"
import { etcdOptions } from "./etcd.flags.ts"
import { namingFlag } from "./naming-flag.ts"
import { apiServerFlags, apiServerOptions, changedFlag, keepApiServerFlags } from "./order.ts"
import { givenServiceAccounts } from "./service-account.flags.ts"

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

  it("are not changed by a switch that is given as it is without", () => {
    const plain = { "audit-log-path": "-" }
    const same = { ...plain, "audit-log-compress": "false", "leader-elect": "true" }
    assert.equal(changedFlag(plain, same), undefined)
    assert.equal(changedFlag(same, plain), undefined)
    assert.equal(changedFlag(plain, { ...plain, "leader-elect": "false" }), "leader-elect")
    assert.equal(changedFlag(plain, { ...plain, "audit-log-compress": "true" }), "audit-log-compress")
    assert.equal(changedFlag(plain, {}), "audit-log-path")
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
    assert.deepEqual(apiServerOptions({ "audit-policy-file": "/p" }).audit, { policyFile: "/p" })
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
    ["controllers", "*,-foo", /^--controllers: "foo" is not in the list of known controllers$/],
    ["concurrent-job-syncs", "0", /^--concurrent-job-syncs must be greater than 0, but got 0$/],
    [
      "horizontal-pod-autoscaler-sync-period",
      "0s",
      /^--horizontal-pod-autoscaler-sync-period must be greater than 0$/,
    ],
    ["leader-elect-lease-duration", "5s", /LeaseDuration must be greater than RenewDeadline$/],
    ["leader-elect-resource-lock", "endpoints", /resourceLock value must be "leases"$/],
    ["kube-api-qps", "50", /^--kube-api-qps can not be given here: controllers are part of the server/],
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
    ["min-request-timeout", "-1", /^--min-request-timeout can not be negative value$/],
    ["strict-transport-security-directives", "x", /^--strict-transport-security-directives invalid, allowed/],
    ["tls-min-version", "x", /^unknown tls version "x"$/],
    ["tls-min-version", "VersionTLS10", /^--tls-min-version VersionTLS10: versions below VersionTLS12/],
    ["tls-cipher-suites", "A", /^Cipher suite A not supported or doesn't exist$/],
    [
      "tls-sni-cert-key",
      "a",
      /^invalid argument ".*a" for "--tls-sni-cert-key" flag: expected comma separated certificate/,
    ],
    ["tls-sni-cert-key", "a,b: ", /: empty names list is not allowed$/],
    ["tls-cert-file", "a", /^--tls-cert-file can not be given here: the cluster's authority signs/],
    ["feature-gates", "A=true", /^unrecognized feature gate: A$/],
    ["feature-gates", "A", /^missing bool value for A$/],
    ["feature-gates", "A=x", /^invalid value of A=x, err: strconv.ParseBool: parsing "x": invalid syntax$/],
    ["feature-gates", "x:A=true", /^component not registered: x$/],
    [
      "feature-gates",
      "WatchList=true,ImageVolume=false",
      /^cannot set feature gate ImageVolume to false, feature is locked to true$/,
    ],
    ["feature-gates", "AllAlpha=true", /^--feature-gates AllAlpha=true can not be given here: what is on/],
    ["runtime-config", "foo=bar", /^runtime-config invalid key foo$/],
    ["runtime-config", "api/all=x", /^invalid value api\/all=x$/],
    ["runtime-config", "apps/v9=true", /^group version apps\/v9 that has not been registered$/],
    [
      "runtime-config",
      "api/alpha=true",
      /^--runtime-config api\/alpha=true can not be given here: what is on/,
    ],
    [
      "runtime-config",
      "batch/v1=false",
      /^--runtime-config batch\/v1=false can not be given here: what is on/,
    ],
    ["runtime-config", "resource.k8s.io/v1beta1", /^--runtime-config resource.k8s.io\/v1beta1 can not be/],
    [
      "service-account-jwks-uri",
      "http://a",
      /^service-account-jwks-uri requires https scheme, parsed as: http/,
    ],
    ["service-account-issuer", "https://a,https://a", /^service-account-issuer "https:\/\/a" is already/],
    ["service-account-max-token-expiration", "1m", /must be between 1 hour and 2\^32 seconds$/],
    ["max-requests-inflight", "-1", /^--max-requests-inflight can not be negative value$/],
  ] as const)
    it(`are refused: --${name}=${value}`, () => {
      assert.throws(() => keepApiServerFlags({ [name]: value }), { message })
    })

  it("may say what is on anyway", () => {
    const flags = {
      "feature-gates": "ImageVolume=true,kube:AllAlpha=F",
      "runtime-config": "api/ga,api/beta=false,v1=true,batch/v1=,resource.k8s.io/v1alpha3=false",
    }
    assert.deepEqual(apiServerOptions(flags), apiServerOptions({}))
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

  it("become options of connections", () => {
    const kept = keepApiServerFlags({
      "tls-min-version": "VersionTLS13",
      "tls-cipher-suites": "TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
      "tls-sni-cert-key": "a.crt,a.key:*.example.com,b",
      "http2-max-streams-per-connection": "7",
      "min-request-timeout": "60",
    })
    const { tls, http2, namedCertificateFiles, watchTimeoutMs } = apiServerOptions(kept)
    assert.equal(tls?.minVersion, "TLSv1.3")
    assert.equal(tls.ciphers?.at(-1), "ECDHE-RSA-CHACHA20-POLY1305")
    assert.deepEqual([http2, watchTimeoutMs], [{ enabled: true, maxStreams: 7 }, 60_000])
    const [cert, key] = [resolve("a.crt"), resolve("a.key")]
    assert.deepEqual(namedCertificateFiles, [{ cert, key, names: ["*.example.com", "b"] }])
  })

  it("say how long pods stay on lost nodes", () => {
    const { admission } = apiServerOptions({ "default-unreachable-toleration-seconds": "30" })
    assert.deepEqual(admission?.tolerationSeconds, { notReady: undefined, unreachable: 30 })
    assert.equal(apiServerOptions({}).admission, undefined)
  })

  it("say what tokens of service accounts are like", () => {
    const given = {
      "service-account-issuer": "https://a,https://b",
      "service-account-jwks-uri": "https://a/keys",
      "service-account-max-token-expiration": "2h",
      "api-audiences": "a,b",
    }
    assert.deepEqual(givenServiceAccounts(given), {
      issuers: ["https://a", "https://b"],
      audiences: ["a", "b"],
      jwksUri: "https://a/keys",
      maxExpirationSeconds: 7200,
    })
  })

  it("are named when the file cannot be used that one of them names", async () => {
    const missing = { "oidc-issuer-url": "https://a", "oidc-client-id": "b", "oidc-ca-file": "/nope.pem" }
    assert.throws(() => keepApiServerFlags(missing), { message: /^--oidc-ca-file: ENOENT.*'\/nope\.pem'$/ })
    const etcd = { "etcd-servers": "http://127.0.0.1:1", "etcd-cafile": "/nope.pem" }
    assert.throws(() => etcdOptions(etcd), { message: /^--etcd-cafile: ENOENT.*'\/nope\.pem'$/ })
    const values = { "audit-log-path": "/log", "authentication-config": "/a.yaml" }
    const cause = new Error("yaml: line 1")
    const named = namingFlag(new ConfigFileError("/a.yaml", cause), values) as Error
    assert.equal(named.message, "--authentication-config: /a.yaml: yaml: line 1")
    assert.equal(namingFlag(cause, values), cause)
    const other = new ConfigFileError("/b.yaml", cause)
    assert.equal(namingFlag(other, values), other)
  })

  it("are texts, or switches", () => {
    assert.equal(apiServerFlags["audit-log-path"]?.type, "string")
    assert.equal(apiServerFlags["audit-log-compress"]?.type, "boolean")
  })
})

describe("Flags of the controllers", () => {
  it("say which run, how many keys at a time, and how nodes and autoscalers are judged", () => {
    const options = controllersOptions({
      controllers: "*,-ttl,tokencleaner",
      "concurrent-job-syncs": "9",
      "disable-force-detach-on-timeout": "true",
      "enable-dynamic-provisioning": "false",
      "pvclaimbinder-sync-period": "3s",
      "pv-recycler-minimum-timeout-nfs": "7",
      "horizontal-pod-autoscaler-sync-period": "5s",
      "horizontal-pod-autoscaler-tolerance": "0.2",
      "node-monitor-grace-period": "20s",
      "node-cidr-mask-size": "26",
    })
    assert.deepEqual(options, {
      controllers: ["*", "-ttl-controller", "token-cleaner-controller"],
      workers: new Map([["job-controller", 9]]),
      autoscaler: { syncPeriodMs: 5000, tolerance: 0.2 },
      binder: { resyncMs: 3000, dynamicProvisioning: false, nfsRecyclerSeconds: 7 },
      attachDetach: { forceDetachOnTimeout: false },
      monitorGracePeriodMs: 20_000,
      nodeCIDRMaskSizeIPv4: 26,
    })
  })

  it("say how the server that runs them is elected, or that none is", () => {
    assert.deepEqual(controllersElection({}), { name: "kube-controller-manager" })
    assert.deepEqual(
      controllersElection({ "leader-elect-resource-name": "mine", "leader-elect-lease-duration": "1m" }),
      { name: "mine", leaseDurationMs: 60_000 },
    )
    assert.equal(controllersElection({ "leader-elect": "false" }), undefined)
  })
})
