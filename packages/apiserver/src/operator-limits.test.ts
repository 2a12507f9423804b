/** How long things last, as the operator says. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, event, serviceAccount, type TokenRequest } from "@knarr/api"
import { createPrivateKeyPem, Meter, seededRandom, silentLogger, VirtualClock } from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import { loopbackUser } from "./authn/users.ts"
import { createLoopbackClient } from "./loopback-client.ts"
import { withTestPlane } from "./testing.ts"

test("events, watches and tokens last as long as the operator says", async () => {
  const clock = new VirtualClock()
  const env = { clock, random: seededRandom(1), log: silentLogger, meter: new Meter() }
  const store = createMemoryStore({ env })
  await withTestPlane(
    async ({ registry }) => {
      const warnings: string[] = []
      const onWarning = (text: string): void => void warnings.push(text)
      const client = createLoopbackClient({ registry, user: loopbackUser, onWarning })
      const ref = { namespace: "default", name: "a" }
      await client.create(event, { metadata: ref, involvedObject: { namespace: "default" } } as never)
      let ended = false
      const watching = (async () => {
        for await (const _ of client.watch(configMap, { signal: new AbortController().signal })) continue
        ended = true
      })()
      await clock.advance(9000)
      assert.equal(ended, false)
      await clock.advance(12_000)
      assert.equal(ended, true)
      await watching

      await clock.advance(90_000)
      assert.ok(registry.get(event, ref))
      await clock.advance(120_000)
      assert.equal(registry.get(event, ref), undefined)

      await client.create(serviceAccount, { metadata: ref })
      const asked = { spec: { audiences: ["x"], expirationSeconds: 86_400 } }
      const { spec } = await client.createSubresource<TokenRequest>(serviceAccount, ref, "token", asked)
      assert.equal(spec.expirationSeconds, 7200)
      assert.deepEqual(warnings, ["requested expiration of 86400 seconds shortened to 7200 seconds"])
    },
    {
      env,
      store,
      eventTtlSeconds: 120,
      watchTimeoutMs: 10_000,
      serviceAccounts: {
        signingKey: createPrivateKeyPem(),
        issuers: ["https://a"],
        maxExpirationSeconds: 7200,
      },
    },
  )
})
