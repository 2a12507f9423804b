/**
 * Renews facts/feature-gates.json, which is what the published kube-apiserver knows of feature gates: stage, default, and
 * whether that is locked. Needs Go, and fetches what its own client fetches.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const program = `package main

import (
	"encoding/json"
	"os"

	"k8s.io/apiserver/pkg/util/feature"
	_ "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

func main() {
	gates := map[string][]any{}
	for name, spec := range feature.DefaultMutableFeatureGate.GetAll() {
		gates[string(name)] = []any{string(spec.PreRelease), spec.Default, spec.LockToDefault}
	}
	_ = json.NewEncoder(os.Stdout).Encode(gates)
}
`

const root = join(import.meta.dirname, "../..")
const dir = mkdtempSync(join(tmpdir(), "knarr-gates-"))
try {
  for (const name of ["go.mod", "go.sum"]) copyFileSync(join(root, "tools/reference", name), join(dir, name))
  writeFileSync(join(dir, "main.go"), program)
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=mod -buildvcs=false -trimpath" }
  const text = execFileSync("go", ["run", "."], { cwd: dir, env, encoding: "utf8" })
  const gates = Object.entries(JSON.parse(text) as Record<string, unknown>)
  const lines = gates.map(([name, gate]) => `  ${JSON.stringify(name)}: ${JSON.stringify(gate)}`)
  writeFileSync(join(root, "facts/feature-gates.json"), `{\n${lines.join(",\n")}\n}\n`)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
