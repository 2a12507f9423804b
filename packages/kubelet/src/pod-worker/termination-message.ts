/**
 * What a container says at its end: the file it wrote, or the tail of its log.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_container.go (getTerminationMessage)
 */
import type { ContainerStatus } from "../runtime/cri.gen.ts"
import type { KubeletHost } from "./host.ts"
import { terminationMessagePathAnnotation, terminationMessagePolicyAnnotation } from "./labels.ts"

const maxMessageBytes = 4096
const maxLogBytes = 2048
const maxLogLines = 80

/** Empty when it said nothing. */
export async function readTerminationMessage(status: ContainerStatus, host: KubeletHost): Promise<string> {
  const path = status.annotations[terminationMessagePathAnnotation]
  if (path) {
    const mount = status.mounts.find(({ containerPath }) => containerPath === path)
    const text = mount && (await readMessage(mount.hostPath, host))
    if (text) return text
  }
  const toLogs = status.annotations[terminationMessagePolicyAnnotation] === "FallbackToLogsOnError"
  if (!toLogs || status.exitCode === 0 || status.logPath === "") return ""
  try {
    return logTail((await host.readTail(status.logPath, 8 * maxLogBytes)) ?? "")
  } catch {
    return ""
  }
}

async function readMessage(path: string, host: KubeletHost): Promise<string> {
  try {
    return (await host.readTail(path, maxMessageBytes)) ?? ""
  } catch (thrown) {
    return `Error on reading termination log ${path}: ${(thrown as Error).message}`
  }
}

/** The last lines of a log in the runtime's format, without times and streams. */
function logTail(text: string): string {
  let out = ""
  const lines = text.split("\n")
  for (const line of lines.slice(-maxLogLines - 1)) {
    const match = /^\S+ (?:stdout|stderr) ([PF])\S* (.*)$/s.exec(line)
    if (match) out += match[1] === "P" ? match[2] : `${match[2]}\n`
  }
  return out.slice(-maxLogBytes)
}
