import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { userKubeconfig } from "./cluster-flags.ts"

test("the user's kubeconfig is the file that kubectl would change, and never a cluster's own", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-user-kubeconfig-"))
  t.after(() => rmSync(dir, { recursive: true }))
  for (const cluster of ["home/default", "elsewhere/x"]) {
    mkdirSync(join(dir, cluster), { recursive: true })
    for (const name of ["kubeconfig", "cluster.json"]) writeFileSync(join(dir, cluster, name), "")
  }
  for (const name of ["a", "b", "kubeconfig"]) writeFileSync(join(dir, name), "")
  symlinkSync(join(dir, "home/default/kubeconfig"), join(dir, "link"))
  const cases: readonly [listed: string | undefined, expected: string][] = [
    [undefined, ".kube/config"],
    ["", ".kube/config"],
    ["a", "a"],
    ["a:b", "a"],
    ["missing:b", "b"],
    ["missing", "missing"],
    ["missing:missing-too", "missing-too"],
    ["kubeconfig", "kubeconfig"],
    ["home/default/kubeconfig", ".kube/config"],
    ["home/gone/kubeconfig", ".kube/config"],
    ["elsewhere/x/kubeconfig", ".kube/config"],
    ["link", ".kube/config"],
    ["home/default/kubeconfig:b", "b"],
    ["home/default/kubeconfig:missing", "missing"],
  ]
  for (const [listed, expected] of cases) {
    const inDir = listed
      ?.split(":")
      .map((file) => file && join(dir, file))
      .join(":")
    const environment = { HOME: dir, KUBECONFIG: inDir }
    assert.equal(userKubeconfig({ environment }, join(dir, "home")), join(dir, expected), `${listed}`)
  }
})
