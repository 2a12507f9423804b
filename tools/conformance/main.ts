/**
 * `npm run conformance -- [--focus RE] [--skip RE] [--procs N] [--serial] [--kubeconfig FILE]`: upstream's own
 * tests against a Knarr cluster (one of its own, unless a kubeconfig is given). Default: `\[Conformance\]`.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { imagePackages, writeConformanceImages } from "./images.ts"

const root = join(import.meta.dirname, "../..")
const { values } = parseArgs({
  options: {
    focus: { type: "string" },
    skip: { type: "string" },
    procs: { type: "string" },
    serial: { type: "boolean" },
    kubeconfig: { type: "string" },
    agents: { type: "string" },
  },
})
const knarr = join(root, "bin/knarr")
const cluster = "conformance"
const out = join(process.env["KNARR_REFERENCE"] ?? join(homedir(), ".cache/knarr-reference"), "results")

interface SpecReport {
  readonly ContainerHierarchyTexts?: readonly string[] | null
  readonly LeafNodeText: string
  readonly LeafNodeType: string
  readonly State: string
  readonly Failure?: { readonly Message: string }
}

for (const part of ["control-plane", "e2e"])
  execFileSync("bash", [join(root, "tools/reference/build.sh"), part], {
    stdio: ["ignore", "ignore", "inherit"],
  })
const bin = execFileSync("bash", [join(root, "tools/reference/build.sh"), "e2e"], { encoding: "utf8" }).trim()

let kubeconfig = values.kubeconfig
if (!kubeconfig) {
  installPackages()
  execFileSync(knarr, ["up", "--name", cluster, "--agents", values.agents ?? "1"], { stdio: "inherit" })
  kubeconfig = execFileSync(knarr, ["kubeconfig", "--name", cluster], { encoding: "utf8" }).trim()
  const dir = mkdtempSync(join(tmpdir(), "knarr-images-"))
  for (const file of await writeConformanceImages(dir, bin))
    execFileSync(knarr, ["image", "load", "--name", cluster, file], {
      stdio: ["ignore", "ignore", "inherit"],
    })
  rmSync(dir, { recursive: true })
}

mkdirSync(out, { recursive: true })
const focus = values.focus ?? "\\[Conformance\\]"
const passed = new Set<string>()
const failed = new Map<string, string>()
run("parallel", values.procs ?? "8", ["\\[Serial\\]", values.skip].filter(Boolean).join("|"), focus)
if (values.serial)
  run("serial", "1", values.skip ?? "^$", `(${focus}).*\\[Serial\\]|\\[Serial\\].*(${focus})`)
for (const [name, message] of [...failed].sort())
  process.stdout.write(`FAILED ${name}\n       ${message.split("\n")[0]!.slice(0, 200)}\n`)
writeFileSync(join(out, "passed.txt"), [...passed].sort().join("\n") + "\n")
writeFileSync(join(out, "failed.txt"), [...failed.keys()].sort().join("\n") + "\n")
process.stdout.write(`${passed.size} passed, ${failed.size} failed (logs in ${out})\n`)
process.exitCode = failed.size > 0 ? 1 : 0

function run(name: string, procs: string, skip: string, focused: string): void {
  const log = openSync(join(out, `${name}.log`), "w")
  const report = join(out, `${name}.json`)
  rmSync(report, { force: true })
  spawnSync(
    join(bin, "ginkgo"),
    [
      `--procs=${procs}`,
      "--no-color",
      `--focus=${focused}`,
      `--skip=${skip}`,
      "--timeout=2h",
      "--succinct",
      `--json-report=${name}.json`,
      `--output-dir=${out}`,
      join(bin, "e2e.test"),
      "--",
      `--kubeconfig=${kubeconfig}`,
      "--provider=skeleton",
      "--allowed-not-ready-nodes=-1",
      "--disable-log-dump",
    ],
    { stdio: ["ignore", log, log], env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` } },
  )
  closeSync(log)
  for (const suite of JSON.parse(readFileSync(report, "utf8")) as { SpecReports?: SpecReport[] }[]) {
    for (const spec of suite.SpecReports ?? []) {
      if (spec.LeafNodeType !== "It") continue
      const full = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(" ")
      if (spec.State === "passed") passed.add(full)
      else if (spec.State !== "skipped" && spec.State !== "pending")
        failed.set(full, spec.Failure?.Message ?? spec.State)
    }
  }
}

function installPackages(): void {
  const installed = spawnSync("dpkg-query", ["-W", "-f", "${Package} ${Status}\n", ...imagePackages], {
    encoding: "utf8",
  }).stdout
  const missing = imagePackages.filter((name) => !installed.includes(`${name} install ok installed`))
  if (missing.length === 0) return
  process.stderr.write(`Installing Debian packages: ${missing.join(" ")}\n`)
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  execFileSync(
    "sh",
    ["-c", `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${missing.join(" ")}`],
    { env, stdio: ["ignore", "ignore", "inherit"] },
  )
}
