/** From a raw question to a raw answer: the cluster's zone first, everything else forwarded. Never throws. */
import { messageOf, type Env } from "@knarr/base"
import type { ClusterZone, ZoneAnswer, ZoneRecord } from "./cluster-zone.ts"
import type { Forwarder } from "./forward.ts"
import {
  isQuery,
  rcodes,
  readAnswer,
  readQuery,
  writeAnswer,
  writeFailure,
  writeQuery,
  type MessageRecord,
  type Query,
} from "./message.ts"

export type Transport = "udp" | "tcp"

const maxUdpBytes = 1232
const minUdpBytes = 512
const maxTcpBytes = 65_535
/** As many aliases are followed from one to the next. */
const maxAliases = 8

export class Resolver {
  readonly #zone: ClusterZone
  readonly #forwarder: Forwarder
  readonly #env: Env
  readonly #signal: AbortSignal

  constructor(zone: ClusterZone, forwarder: Forwarder, env: Env, signal: AbortSignal) {
    this.#zone = zone
    this.#forwarder = forwarder
    this.#env = env
    this.#signal = signal
  }

  /**
   * The answer; undefined for what is no question and gets none. Names of the cluster are answered at once, others
   * when a resolver has answered or could not; that promise never rejects.
   */
  answer(
    bytes: Buffer,
    transport: Transport,
    source: string,
  ): Buffer | Promise<Buffer | undefined> | undefined {
    if (!isQuery(bytes)) return undefined
    let query: Query | undefined
    try {
      query = readQuery(bytes)
      if (!query) return writeFailure(bytes, rcodes.formatError)
      if (query.opcode !== 0) return writeFailure(bytes, rcodes.notImplemented)
      const { question } = query
      if (!question.isInternet) return writeFailure(bytes, rcodes.refused)
      const found = this.#zone.answer(question.name, question.type)
      if (!found)
        return this.#guarded(bytes, query, this.#forwarder.ask(bytes, transport, source, this.#signal))
      if (found.follow && question.type !== "CNAME")
        return this.#guarded(bytes, query, this.#follow(bytes, query, found, transport, source))
      const rcode = found.exists ? rcodes.ok : rcodes.nameError
      return this.#write(bytes, query, transport, rcode, found.answers, found.additionals ?? [])
    } catch (thrown) {
      return this.#failed(bytes, query, thrown)
    }
  }

  async #guarded(bytes: Buffer, query: Query, answer: Promise<Buffer>): Promise<Buffer | undefined> {
    try {
      return await answer
    } catch (thrown) {
      return this.#signal.aborted ? undefined : this.#failed(bytes, query, thrown)
    }
  }

  #failed(bytes: Buffer, query: Query | undefined, thrown: unknown): Buffer {
    const name = query?.question.name ?? ""
    const type = query?.question.type ?? ""
    this.#env.log.debug("DNS question was not answered", { name, type, err: messageOf(thrown) })
    return writeFailure(bytes, rcodes.serverFailure)
  }

  /** Answers for an ExternalName: its alias, and what that leads to. */
  async #follow(
    bytes: Buffer,
    query: Query,
    found: ZoneAnswer,
    transport: Transport,
    source: string,
  ): Promise<Buffer> {
    const { type } = query.question
    const answers: MessageRecord[] = [...found.answers]
    let rcode: number = rcodes.ok
    let next = found.follow
    for (let i = 0; next !== undefined && i < maxAliases; i++) {
      const target = this.#zone.answer(next, type)
      if (!target) {
        const asked = writeQuery(0, next, type)
        const reply = readAnswer(await this.#forwarder.ask(asked, transport, source, this.#signal))
        if (!reply) throw new Error("Cannot read a resolver's answer")
        answers.push(...reply.records)
        rcode = reply.rcode
        break
      }
      answers.push(...target.answers)
      rcode = target.exists ? rcodes.ok : rcodes.nameError
      next = target.follow
    }
    return this.#write(bytes, query, transport, rcode, answers, [])
  }

  #write(
    bytes: Buffer,
    query: Query,
    transport: Transport,
    rcode: number,
    answers: readonly MessageRecord[],
    additionals: readonly ZoneRecord[],
  ): Buffer {
    const authorities = answers.length === 0 ? [this.#zone.soa()] : []
    const udpLimit = Math.min(Math.max(query.udpBytes ?? minUdpBytes, minUdpBytes), maxUdpBytes)
    const limit = transport === "tcp" ? maxTcpBytes : udpLimit
    return writeAnswer(
      bytes,
      query,
      { rcode, answers, authorities, additionals },
      { limit, ownUdpBytes: maxUdpBytes },
    )
  }
}
