import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap } from "@knarr/api"
import { isAlreadyExists } from "@knarr/apimachinery"
import { seededRandom, systemClock } from "@knarr/base"
import { KnarrHome } from "./knarr-command.ts"

const kills = 10
const writers = 8
const namespace = "default"

test(
  "a server killed under load ten times is started again, loses nothing, and a watch resumes where it was",
  { timeout: 180_000 },
  async (t) => {
    await using home = new KnarrHome("crash")
    await home.up("--no-agent")
    const { client, transport } = await home.connect()
    using _transport = transport
    const seed = systemClock.now() % 1_000_000
    t.diagnostic(`seed ${seed}`)
    const random = seededRandom(seed)
    const stop = new AbortController()
    const { signal } = stop
    const pause = (ms: number): Promise<void> => systemClock.sleep(ms, new AbortController().signal)

    const acknowledged = new Map<string, string>()
    const write = async (writer: number): Promise<void> => {
      for (let i = 0; !signal.aborted; i++) {
        const name = `w${writer}-${i}`
        for (;;) {
          try {
            const made = await client.create(configMap, {
              metadata: { namespace, name },
              data: { i: String(i) },
            })
            acknowledged.set(name, made.metadata.resourceVersion)
            break
          } catch (thrown) {
            // Written just before the kill: not acknowledged then, there now.
            if (isAlreadyExists(thrown)) break
            if (signal.aborted) return
            await pause(20)
          }
        }
      }
    }

    const start = await client.list(configMap, { namespace })
    let resourceVersion = start.metadata.resourceVersion!
    const seen = new Map<string, string>()
    let resumed = 0
    const follow = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          for await (const event of client.watch(configMap, {
            namespace,
            resourceVersion,
            allowWatchBookmarks: true,
            signal,
          })) {
            assert.notEqual(event.type, "ERROR", JSON.stringify(event.object))
            if (event.type === "ERROR") continue
            const { name, resourceVersion: revision } = event.object.metadata
            if (event.type !== "BOOKMARK") {
              assert.ok(
                Number(revision) > Number(resourceVersion),
                `${revision} came after ${resourceVersion}`,
              )
              if (event.type === "ADDED") {
                assert.equal(seen.has(name), false, `${name} was told twice`)
                seen.set(name, revision)
              }
            }
            resourceVersion = revision
          }
        } catch (thrown) {
          if (thrown instanceof assert.AssertionError) throw thrown
          if (signal.aborted) return
        }
        resumed++
        await pause(20)
      }
    }
    const following = follow()
    const writing = Array.from({ length: writers }, (_, writer) => write(writer))
    for (let i = 0; i < kills; i++) {
      await pause(100 + 300 * random.next())
      await home.recovered(home.crash("server"))
    }
    await pause(200)
    const all = await client.list(configMap, { namespace })
    const there = new Map(all.items.map((item) => [item.metadata.name, item.metadata.resourceVersion]))
    for (const [name, revision] of acknowledged) {
      if (Number(revision) <= Number(all.metadata.resourceVersion))
        assert.equal(there.get(name), revision, `${name} was acknowledged and lost`)
    }
    await pause(300)
    stop.abort()
    await Promise.all([following, ...writing])
    for (const [name, revision] of acknowledged) {
      if (Number(revision) <= Number(resourceVersion))
        assert.equal(seen.get(name), revision, `the watch missed ${name}`)
    }
    assert.ok(resumed >= kills)
    t.diagnostic(`${acknowledged.size} acknowledged writes, ${seen.size} events, ${resumed} resumed watches`)
  },
)
