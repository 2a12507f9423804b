/** Configurations as kube-scheduler 1.37.2 takes them: its errors, and what it completes. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { messageOf } from "@knarr/base"
import type { PluginSets } from "../framework/points.ts"
import { defaultPlugins } from "../order.ts"
import { OfflineScheduler } from "../testing.ts"
import { parseSchedulerConfiguration } from "./configuration.ts"

interface Recorded {
  readonly name: string
  readonly config: object
  readonly error?: string
  readonly profiles?: readonly {
    readonly schedulerName: string
    readonly plugins: PluginSets
    readonly pluginConfig: readonly { readonly name: string; readonly args?: object }[]
  }[]
}

const recorded = JSON.parse(
  readFileSync(new URL("testdata/configurations.json", import.meta.url), "utf8"),
) as readonly Recorded[]

const type = { apiVersion: "kubescheduler.config.k8s.io/v1", kind: "KubeSchedulerConfiguration" }
const parse = (config: object): ReturnType<typeof parseSchedulerConfiguration> =>
  parseSchedulerConfiguration(JSON.stringify({ ...type, ...config }), defaultPlugins)

/** Upstream's plugins that are not there. */
const there = new Set(defaultPlugins.map((one) => ("plugin" in one ? one.plugin.name : one.name)))
const missing = new Set(
  recorded
    .flatMap(({ profiles = [] }) => profiles)
    .flatMap(({ plugins }) => plugins.multiPoint?.enabled ?? [])
    .map(({ name }) => name)
    .filter((name) => !there.has(name)),
)

async function errorOf(config: object): Promise<string | undefined> {
  try {
    for (const { schedulerName, plugins, sets } of (await parse(config)).profiles)
      try {
        void new OfflineScheduler(plugins, { sets })
      } catch (thrown) {
        return `initializing profiles: creating profile for scheduler name ${schedulerName}: ${messageOf(thrown)}`
      }
    return undefined
  } catch (thrown) {
    return messageOf(thrown)
  }
}

/** Without the plugins that are missing, and with weights as upstream prints them. */
function shown(sets: PluginSets): object {
  return Object.fromEntries(
    Object.entries(sets)
      .map(([point, { enabled = [], disabled = [] }]) => {
        const list = (choices: readonly { name: string; weight?: number | undefined }[]): object[] =>
          choices.filter(({ name }) => !missing.has(name)).map(({ name, weight = 0 }) => ({ name, weight }))
        return [point, { enabled: list(enabled), disabled: list(disabled) }] as const
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

describe("A scheduler's configuration", () => {
  for (const { name, config, error, profiles } of recorded) {
    if ([...missing].some((plugin) => JSON.stringify(config).includes(plugin))) continue
    if (error !== undefined)
      it(`${name}: is refused as upstream does`, async () => {
        // The machinery names the file of its own registry.
        assert.equal(await errorOf(config), error.replace(' in scheme "pkg/runtime/scheme.go:111"', ""))
      })
    else
      it(`${name}: is completed as upstream does`, async () => {
        const made = (await parse(config)).profiles
        assert.equal(await errorOf(config), undefined)
        for (const [i, wanted] of profiles!.entries()) {
          const { schedulerName, sets, plugins = [] } = made[i]!
          assert.equal(schedulerName, wanted.schedulerName)
          assert.deepEqual(shown(sets!), shown(wanted.plugins))
          const args = new Map(
            plugins.map((one) => ("plugin" in one ? [one.plugin.name, one.args] : ["", {}])),
          )
          for (const { name: plugin, args: complete } of wanted.pluginConfig)
            if (args.has(plugin)) assert.deepEqual(args.get(plugin), complete, plugin)
        }
      })
  }

  for (const [field, config, why] of [
    [
      "a connection of its own",
      { clientConnection: { kubeconfig: "/a" } },
      "clientConnection.kubeconfig can not",
    ],
    ["Go's profiles", { enableProfiling: true }, "enableProfiling can not be given here"],
    [
      "a plugin that is not there",
      { profiles: [{ plugins: { multiPoint: { enabled: [{ name: "GangScheduling" }] } } }] },
      'profiles[0]: the plugin "GangScheduling" can not be given here',
    ],
  ] as const)
    it(`is refused when it asks for ${field}`, async () => {
      assert.equal((await errorOf(config))?.slice(0, why.length), why)
    })

  it("says who is elected, and how long a pod waits", async () => {
    const { election, backoff } = await parse({
      leaderElection: { resourceName: "other", leaseDuration: "30s" },
      podInitialBackoffSeconds: 2,
      podMaxBackoffSeconds: 4,
    })
    assert.deepEqual(election, {
      ...{ namespace: "kube-system", name: "other" },
      ...{ leaseDurationMs: 30_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 },
    })
    assert.deepEqual(backoff, { firstMs: 2_000, maxMs: 4_000 })
    assert.equal((await parse({ leaderElection: { leaderElect: false } })).election, undefined)
  })
})
