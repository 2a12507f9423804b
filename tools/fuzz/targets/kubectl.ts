/**
 * kubectl: manifests, kubeconfigs and flags of any form end in output or in a message that says what
 * is wrong, never in one about our own code.
 * (The server is trusted for the shape of its objects: what it sends is well-formed here.)
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import { VirtualClock, deferred, seededRandom } from "@knarr/base"
import { stringifyYaml } from "@knarr/apimachinery"
import { runKubectl } from "@knarr/kubectl"
import { samples } from "../objects.ts"
import { defineTarget, expect } from "../target.ts"

const folder = join(import.meta.dirname, "../../../packages/kubectl/src/testdata")
const commands: readonly (readonly string[])[] = [
  ...[
    "get pods",
    "get pods -o wide",
    "get all -o name",
    "get pods -o yaml",
    "get deploy x -o json",
    "get nodes",
  ],
  ...["get pods -o jsonpath={.items[*].metadata.name}", "get pods -o custom-columns=A:.metadata.name"],
  ...[
    "get pods --sort-by=.metadata.name",
    "get events",
    "explain pod.spec",
    "api-resources",
    "auth can-i get pods",
  ],
  ...[
    "apply -f -",
    "create -f -",
    "replace -f -",
    "delete -f - --wait=false",
    "diff -f -",
    "apply -f - --server-side",
  ],
  ...["create -f - --dry-run=client -o yaml", "config view", "config get-contexts", "config current-context"],
  ...["config set-cluster a --server=x"],
].map((text) => text.split(" "))

interface Input {
  readonly args: readonly string[]
  readonly stdin: string
  readonly kubeconfig: string
  readonly status: number
  readonly answer: string
}

const goodConfig = {
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "c", cluster: { server: "http://127.0.0.1:1" } }],
  users: [{ name: "u", user: { token: "t" } }],
  contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "n" } }],
  "current-context": "x",
}

export const kubectl = defineTarget<Input>({
  name: "kubectl",
  quick: 100,
  grows: false,
  async open({ scope }) {
    const dir = mkdtempSync(join(tmpdir(), "fuzz-kubectl-"))
    scope.defer(() => rmSync(dir, { recursive: true }))
    const discovery = new Map<string, { status: number; type: string; body: string }>()
    for (const name of readdirSync(folder).filter((one) => one.endsWith(".golden.json"))) {
      const { answers } = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
        answers: Record<string, { status: number; type: string; body: string }>
      }
      for (const [key, answer] of Object.entries(answers)) discovery.set(key, answer)
    }
    let current = { status: 200, answer: "" }
    const server = createServer((request, response) => {
      const known = discovery.get(`${request.method} ${request.url}`)
      if (known) return void response.writeHead(known.status, { "content-type": known.type }).end(known.body)
      response.writeHead(current.status, { "content-type": "application/json" }).end(current.answer)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    scope.defer(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    return {
      generate(draw) {
        const { kind, object } = draw.pick(samples)
        const changed = draw.chance(0.7) ? draw.mutateJson(object) : object
        const list = {
          kind: `${kind.kind}List`,
          apiVersion: kind.apiVersion,
          metadata: {},
          items: [object, object],
        }
        const table = {
          kind: "Table",
          apiVersion: "meta.k8s.io/v1",
          columnDefinitions: [{ name: "Name", type: "string", priority: 0 }],
          rows: [{ cells: ["a"], object }],
        }
        const answer = draw.pick([object, list, table])
        const words = draw.pick(commands)
        const text = draw.chance(0.7) ? stringifyYaml(changed) : JSON.stringify(changed)
        const config = draw.chance(0.3) ? draw.mutateJson(goodConfig) : goodConfig
        return {
          args: draw.chance(0.2)
            ? words.map((word) =>
                draw.chance(0.3) ? draw.mutate(word, ["-o", "--x", "-", "=", "--"]) : word,
              )
            : [...words],
          stdin: draw.chance(0.2) ? draw.mutate(text) : `${text}\n---\n${text}`,
          kubeconfig: draw.chance(0.2) ? draw.mutate(stringifyYaml(config)) : stringifyYaml(config),
          status: draw.pick([200, 200, 200, 201, 400, 404, 409, 500]),
          answer: draw.chance(0.1) ? draw.mutate(JSON.stringify(answer)) : JSON.stringify(answer),
        }
      },
      async check({ args, stdin, kubeconfig, status, answer }) {
        if (!Array.isArray(args) || !(status >= 200 && status < 600)) return
        const words = args.map(String)
        // Those would wait for somebody.
        if (
          words.some(
            (word) =>
              /^(?:proxy|edit|port-forward|attach|exec|cp|debug|wait|drain)|^-(?:w|f$)|watch|follow/.test(
                word,
              ) && word !== "-f",
          )
        )
          return
        current = { status, answer: String(answer) }
        const file = join(dir, "config")
        writeFileSync(file, String(kubeconfig))
        let output = ""
        const sink = new Writable({
          write(chunk: Buffer, _encoding, done) {
            if (output.length < 1 << 20) output += chunk.toString()
            done()
          },
        })
        const ended = deferred<number>()
        const controller = new AbortController()
        const link = (): void => controller.abort(scope.signal.reason)
        scope.signal.addEventListener("abort", link, { once: true })
        const clock = new VirtualClock(1_800_000_000_000)
        // What waits for the clock has its way.
        clock.timer(3_600_000, () => controller.abort(new Error("too late")))
        runKubectl(["--server", `http://127.0.0.1:${port}`, ...words], {
          stdin: Readable.from([Buffer.from(String(stdin))]),
          ...{ stdout: sink, stderr: sink, env: { HOME: dir, KUBECONFIG: file }, cwd: dir },
          ...{ signal: controller.signal, clock, random: seededRandom(1) },
        }).then(ended.resolve, ended.reject)
        const pump = setInterval(() => void clock.advance(60_000), 5)
        try {
          await ended.promise
        } finally {
          clearInterval(pump)
          scope.signal.removeEventListener("abort", link)
        }
        const accident =
          /Cannot (?:read|set|convert) (?:propert|undefined)|is not (?:a function|iterable|an object)|Maximum call stack|Invalid (?:array|string|count|time) |\[object Object\]|undefined \(reading|toISOString|Reduce of empty/.exec(
            output,
          )
        expect(!accident, "a message is about our own code", accident?.[0], output.slice(0, 400))
      },
    }
  },
})
