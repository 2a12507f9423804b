/** The thread in which a long YAML text is read: it gets the text, answers once, and is ended. */
import { parentPort, workerData } from "node:worker_threads"
import { loadYaml } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { YamlAnswer } from "./yaml-body.ts"

const { parse } = await loadYaml()
let answer: YamlAnswer
try {
  const duplicates: string[] = []
  answer = { value: parse(workerData as string, { duplicates }), duplicates }
} catch (thrown) {
  answer = { error: messageOf(thrown) }
}
parentPort?.postMessage(answer)
