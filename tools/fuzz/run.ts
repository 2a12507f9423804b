/** Tries inputs on a target, one after the other, and says what they found. */
import { setImmediate } from "node:timers/promises"
import { Scope, openScopes, seededRandom, systemClock } from "@knarr/base"
import { Draw } from "./draw.ts"
import { growth } from "./grow.ts"
import { processorMs, usedHeap } from "./machine.ts"
import { shrink } from "./shrink.ts"
import { Finding, type Subject, type Target } from "./target.ts"
import { Trouble, brokenBy, type Broken } from "./trouble.ts"

export interface Found {
  readonly target: string
  /** Of the run, and which input of it; absent for what no single input shows. */
  readonly seed?: number
  readonly index?: number
  readonly message: string
  readonly input: unknown
}

export interface RunOptions {
  readonly seed: number
  /** Whether to go on after so many inputs. */
  more(tried: number): boolean
  /** The first of its kind that was found, shrunk. */
  onFound(found: Found): void
  /** Told of every input before it is tried. */
  onTry?(input: unknown): void
  /** How many attempts a finding may be shrunk in; default 400. */
  readonly shrinkAttempts?: number
}

/** An input that takes longer is not answered at all. */
const hangMs = 20_000
/** Processor time of an input, and of each of its bytes. */
const limit = { ms: 500, msPerByte: 0.004 }
/** Every so many inputs one is made long, by so much. */
const growing = { every: 40, bytes: 20_000 }
/** What a target may keep between two looks at the heap. */
const kept = { bytes: 150 << 20, every: 5_000 }

/** Tries inputs while `more` says so. Resolves to how many were tried. */
export async function runTarget(target: Target, options: RunOptions): Promise<number> {
  const { seed } = options
  const seen = new Set<string>()
  const report = (broken: Broken, input: unknown, index?: number): void => {
    if (seen.has(broken.what)) return
    seen.add(broken.what)
    options.onFound({
      ...{ target: target.name, seed, message: broken.message, input },
      ...(index === undefined ? {} : { index }),
    })
  }
  let tried = 0
  await withSubject(target, report, async (opened, trouble) => {
    const subject: Subject<unknown> = {
      generate: (draw) => opened.generate(draw),
      check(input) {
        options.onTry?.(input)
        return opened.check(input)
      },
    }
    let heap: number | undefined
    for (; options.more(tried); tried++) {
      const draw = new Draw(seededRandom(hash(`${seed} ${target.name} ${tried}`)))
      const input: unknown = JSON.parse(JSON.stringify(subject.generate(draw)))
      const broken = await tryInput(subject, trouble, input)
      if (broken && !seen.has(broken.what)) {
        const still = async (one: unknown): Promise<boolean> =>
          (await tryInput(subject, trouble, one))?.what === broken.what
        const small = await shrink(input, still, options.shrinkAttempts ?? 400)
        report((await tryInput(subject, trouble, small)) ?? broken, small, tried)
      }
      if (!broken && target.grows !== false && tried % growing.every === growing.every - 1) {
        const longer = growth(input, draw)
        const tooFast = longer && (await growsTooFast(subject, trouble, longer))
        if (tooFast) report(tooFast, longer(growing.bytes), tried)
      }
      if (tried % kept.every === kept.every - 1) {
        const now = usedHeap()
        const more = now - (heap ?? now)
        if (more > kept.bytes) report({ what: "keeps memory", message: `keeps ${more >> 20} MB` }, null)
        heap ??= now
      }
    }
  })
  return tried
}

/** Tries one input. Resolves to what is wrong; undefined when nothing is. */
export async function tryOne(target: Target, input: unknown): Promise<string | undefined> {
  let first: Broken | undefined
  await withSubject(
    target,
    (broken) => (first ??= broken),
    async (subject, trouble) => {
      first = await tryInput(subject, trouble, input)
    },
  )
  return first?.message
}

async function withSubject(
  target: Target,
  report: (broken: Broken, input: unknown) => void,
  fn: (subject: Subject<unknown>, trouble: Trouble) => Promise<void>,
): Promise<void> {
  using trouble = new Trouble()
  const before = new Set(openScopes)
  const scope = new Scope("fuzz", { env: trouble.env })
  try {
    const subject = await target.open({ scope, env: trouble.env })
    await fn(subject, trouble)
  } finally {
    await scope.close()
    await setImmediate()
  }
  const left = [...openScopes].find((one) => !before.has(one))
  if (left) report({ what: "leaves a scope", message: `leaves the scope ${left.name}` }, null)
  const last = trouble.take()
  if (last) report({ ...last, message: `at its end: ${last.message}` }, null)
}

async function tryInput(
  subject: Subject<unknown>,
  trouble: Trouble,
  input: unknown,
): Promise<Broken | undefined> {
  const most = limit.ms + limit.msPerByte * JSON.stringify(input).length
  let cost = Infinity
  // Collecting garbage takes the processor, too: only three slow answers are one.
  for (let i = 0; i < 3 && cost > most; i++) {
    const before = processorMs()
    try {
      const done = subject.check(input)
      if (done instanceof Promise) {
        await inTime(done)
        await setImmediate()
      }
    } catch (thrown) {
      // What was logged meanwhile says more than an answer that was not expected.
      return trouble.take() ?? brokenBy(thrown)
    }
    const broken = trouble.take()
    if (broken) return broken
    cost = processorMs() - before
  }
  if (cost <= most) return undefined
  return { what: "is slow", message: `takes ${Math.round(cost)} ms of the processor` }
}

async function inTime(done: Promise<void>): Promise<void> {
  let timer: Disposable | undefined
  const late = new Promise<never>((_, reject) => {
    timer = systemClock.timer(hangMs, () => reject(new Finding("is not answered", [`${hangMs / 1000} s`])))
  })
  try {
    await Promise.race([done, late])
  } finally {
    timer?.[Symbol.dispose]()
  }
}

/** Four times the input must not be sixteen times the work. */
async function growsTooFast(
  subject: Subject<unknown>,
  trouble: Trouble,
  longer: (bytes: number) => unknown,
): Promise<Broken | undefined> {
  let message = ""
  for (let i = 0; i < 3; i++) {
    const costs: number[] = []
    for (const bytes of [growing.bytes, 4 * growing.bytes]) {
      const input: unknown = JSON.parse(JSON.stringify(longer(bytes)))
      const before = processorMs()
      try {
        const done = subject.check(input)
        if (done instanceof Promise) await inTime(done)
      } catch (thrown) {
        const broken = trouble.take() ?? brokenBy(thrown)
        return { what: `of a long input: ${broken.what}`, message: `of a long input: ${broken.message}` }
      }
      costs.push(processorMs() - before)
    }
    const [small, large] = costs as [number, number]
    if (large < 10 * small + 300) return undefined
    message = `grows too fast: ${Math.round(small)} ms, and ${Math.round(large)} ms for four times as much`
  }
  return { what: "grows too fast", message }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
