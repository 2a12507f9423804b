import assert from "node:assert/strict"
import { test } from "node:test"
import { Meter, Scope, VirtualClock, createLogger, seededRandom, type Env } from "@knarr/base"
import { defineNodePart, type NodeContext, type NodePart } from "./node-part.ts"
import { startNodeParts, type NodeParts } from "./node-parts.ts"

/** A list of parts on a virtual clock, with what it logs. */
interface Stage extends AsyncDisposable {
  readonly env: Env
  readonly scope: Scope
  readonly clock: VirtualClock
  readonly log: string[]
  /** What happened, as the parts wrote it. */
  readonly diary: string[]
  start(parts: readonly NodePart[], onEarlyFailure?: (error: Error) => void): NodeParts
}

function stage(): Stage {
  const clock = new VirtualClock()
  const log: string[] = []
  const write = (line: string): void => void log.push(line.replace(/^\S+ /, "").trim())
  const env = {
    ...{ clock, random: seededRandom(1), meter: new Meter() },
    log: createLogger({ clock, level: "info", write }),
  }
  const scope = new Scope("node-9", { env })
  return {
    ...{ env, scope, clock, log, diary: [] },
    // None of these parts asks for its node.
    start: (parts, onEarlyFailure) =>
      startNodeParts(parts, {
        ...{ env, scope, node: {} as NodeContext },
        ...(onEarlyFailure ? { onEarlyFailure } : {}),
      }),
    [Symbol.asyncDispose]: () => scope.close(),
  }
}

/** A part that writes down its life, provides the number of its start, and can be made to fail. */
class Actor {
  readonly part: NodePart<number>
  #starts = 0
  #fail: ((error: Error) => void) | undefined

  constructor(
    name: string,
    diary: string[],
    dependencies: {
      readonly needs?: readonly Actor[]
      readonly uses?: readonly Actor[]
      /** Called at each start. */
      readonly atStart?: (start: number) => Promise<void> | void
    } = {},
  ) {
    const { needs = [], uses = [], atStart } = dependencies
    this.part = defineNodePart<number>({
      name,
      needs: needs.map(({ part }) => part),
      uses: uses.map(({ part }) => part),
      start: async (_env, _node, { need, use }) => {
        const start = ++this.#starts
        const seen = [
          ...needs.map(({ part }) => `${part.name}=${need(part)}`),
          ...uses.map(({ part }) => `${part.name}=${use(part) ?? "none"}`),
        ]
        await atStart?.(start)
        diary.push([`+${name}`, ...seen].join(" "))
        return {
          provides: start,
          run: (signal) =>
            new Promise<void>((resolve, reject) => {
              this.#fail = reject
              signal.addEventListener("abort", () => resolve(), { once: true })
            }),
          close: async () => void diary.push(`-${name}`),
        }
      },
    })
  }

  fail(message: string): void {
    this.#fail!(new Error(message))
  }
}

const broken = async (start: number): Promise<void> => {
  if (start === 1) throw new Error("no socket")
}

test("parts start behind what they need, and end before it", async () => {
  await using on = stage()
  const { diary } = on
  const runtime = new Actor("runtime", diary, { atStart: () => on.clock.sleep(100, on.scope.signal) })
  const api = new Actor("api", diary)
  const kubelet = new Actor("kubelet", diary, { needs: [runtime, api] })
  const policy = new Actor("policy", diary, { needs: [kubelet] })
  const parts = on.start([runtime, api, kubelet, policy].map(({ part }) => part))
  await on.clock.advance(50)
  assert.deepEqual(diary, ["+api"])
  const readiness = parts.readiness.map(({ name, check }) => `${name} ${check() ?? "ok"}`)
  assert.deepEqual(readiness, [
    "tasks ok",
    "runtime it is starting",
    "api ok",
    "kubelet it is waiting",
    "policy it is waiting",
  ])
  await on.clock.advance(100)
  await parts.started(on.scope.signal)
  await on.scope.close()
  assert.deepEqual(diary.slice(1), [
    "+runtime",
    "+kubelet runtime=1 api=1",
    "+policy kubelet=1",
    "-policy",
    "-kubelet",
    "-runtime",
    "-api",
  ])
  assert.deepEqual(on.log, [])
})

test("a part that fails is told once, and starts again with those that need it; the others go on", async () => {
  await using on = stage()
  const { diary } = on
  const dns = new Actor("dns", diary)
  const other = new Actor("other", diary)
  const needy = new Actor("needy", diary, { needs: [dns] })
  const user = new Actor("user", diary, { uses: [dns] })
  const parts = on.start([dns, other, needy, user].map(({ part }) => part))
  await on.clock.advance(0)
  diary.length = 0
  dns.fail("socket lost")
  await on.clock.advance(50)
  assert.deepEqual(diary, ["-needy", "-dns"])
  const told = (of: NodeParts["health"]) => of.map(({ name, check }) => [name, check()])
  assert.deepEqual(told(parts.health), [
    ["tasks", undefined],
    ["dns", "failed once: socket lost"],
    ["other", undefined],
    ["needy", "it waits for dns"],
    ["user", undefined],
  ])
  await on.clock.advance(100)
  assert.deepEqual(diary.slice(2).sort(), ["+dns", "+needy dns=2", "+user dns=2", "-user"])
  assert.ok(parts.readiness.every(({ check }) => check() === undefined))
  assert.deepEqual(on.log, [
    'ERROR A task failed and is started again task=node-9/dns restarts=1 seconds=0.1 err="socket lost"',
  ])
  assert.equal(on.scope.signal.aborted, false)
})

test("a part that cannot start is told to whoever waits, and others start without it where they can", async () => {
  await using on = stage()
  const { diary } = on
  const dns = new Actor("dns", diary, { atStart: broken })
  const needy = new Actor("needy", diary, { needs: [dns] })
  const user = new Actor("user", diary, { uses: [dns, needy] })
  const early: string[] = []
  const parts = on.start(
    [dns, needy, user].map(({ part }) => part),
    (error) => void early.push(error.message),
  )
  await on.clock.advance(50)
  assert.deepEqual(diary, ["+user dns=none needy=none"])
  assert.deepEqual(early, ["dns: no socket"])
  await on.clock.advance(1_000)
  await parts.started(on.scope.signal)
  assert.equal(diary.at(-1), "+user dns=2 needy=1")
  assert.equal(on.log.length, 1)
})

test("whatever fails in a part fails it: a task of its scope, and the end of its work", async () => {
  await using on = stage()
  const starts = { task: 0, work: 0 }
  const task = defineNodePart({
    name: "task",
    needs: [],
    async start(_env, _node, { scope }) {
      if (++starts.task === 1)
        scope.child("inner").run("loop", async () => {
          throw new Error("broken")
        })
      return { provides: undefined }
    },
  })
  const work = defineNodePart({
    name: "work",
    needs: [],
    restart: { firstMs: 5_000 },
    start: async () => ({
      provides: undefined,
      run: async (signal) => {
        if (++starts.work > 1) await on.clock.sleep(1e9, signal)
      },
    }),
  })
  on.start([task, work])
  await on.clock.advance(10_000)
  assert.deepEqual(starts, { task: 2, work: 2 })
  const again = "ERROR A task failed and is started again task=node-9"
  assert.deepEqual(on.log.sort(), [
    `${again}/task restarts=1 seconds=0.1 err="Task \\"node-9/task/inner/loop\\" failed: broken"`,
    `${again}/work restarts=1 seconds=5 err="it ended by itself"`,
  ])
})

test("a part that does not end in time ends the node, whose process starts anew", async () => {
  const on = stage()
  let isOver: (() => void) | undefined
  let starts = 0
  const stuck = defineNodePart({
    name: "stuck",
    needs: [],
    async start() {
      starts++
      return {
        provides: undefined,
        run: async (signal) => {
          await on.clock.sleep(100, signal)
          throw new Error("broken")
        },
        close: () => new Promise<void>((resolve) => (isOver = resolve)),
      }
    },
  })
  on.start([stuck])
  await on.clock.advance(6_000)
  assert.equal(starts, 1)
  assert.match(String(on.scope.signal.reason), /Task "node-9\/node parts" failed: .*end of stuck/)
  isOver!()
  await assert.rejects(on.scope.close())
})

test("a list that cannot be is refused", async () => {
  await using on = stage()
  const [a, b] = [new Actor("a", []), new Actor("b", [])]
  const needsA = new Actor("c", [], { needs: [a!] })
  const cases: [NodePart[], RegExp][] = [
    [[a!.part, new Actor("a", []).part], /two parts are called "a"/],
    [[needsA.part, a!.part], /"c" comes before "a"/],
    [[b!.part, needsA.part], /"c" comes before "a", or has none/],
    [[new Actor("tasks", []).part], /two parts are called "tasks"/],
  ]
  for (const [parts, expected] of cases) assert.throws(() => on.start(parts), expected)
})
