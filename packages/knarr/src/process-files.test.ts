import assert from "node:assert/strict"
import { test } from "node:test"
import { ClusterHome } from "./cluster-home.ts"
import { isProcess, isSupervisor } from "./process-files.ts"

test("a cluster's processes and supervisors are known by what they were called with", () => {
  const cluster = new ClusterHome("/home/me/.knarr", "c")
  const node = process.execPath
  const end = ["--cluster-dir", cluster.dir]
  const server = [node, "--flag", "/opt/knarr.js", "server", ...end]
  const agent = [node, "/opt/knarr.js", "agent", "--node-name", "node-1", ...end]
  const supervisor = (name: string, command: string[]): string[] => {
    return ["sh", "/opt/supervise.sh", `${cluster.dir}/${name}`, "/log", ...command]
  }
  const cases: [string[], string, boolean, boolean][] = [
    [server, "server", true, false],
    [agent, "node-1", true, false],
    [agent, "node-10", false, false],
    [server, "node-1", false, false],
    [supervisor("server", server), "server", false, true],
    [supervisor("node-1", agent), "node-1", false, true],
    [supervisor("node-1", agent), "server", false, false],
    [["nsenter", "--net=/run/netns/x", ...agent], "node-1", false, false],
    [[node, "/opt/knarr.js", "server", "--cluster-dir", "/other/c"], "server", false, false],
    [["vi", "/opt/supervise.sh"], "server", false, false],
    [["--cluster-dir", cluster.dir], "server", false, false],
    [[], "server", false, false],
  ]
  for (const [args, name, isOne, isIts] of cases) {
    const found = [isProcess(args, cluster, name), isSupervisor(args, cluster, name)]
    assert.deepEqual(found, [isOne, isIts], `${name}: ${args.join(" ")}`)
  }
})
