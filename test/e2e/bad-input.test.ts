import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { configMap, event, pod, type ContainerStateWaiting } from "@knarr/api"
import { KnarrHome, eventually, knarr, runProgram, type CommandResult } from "./knarr-command.ts"

const namespace = "default"

test(
  "what is wrong on the command line is said in a line, with exit code 1",
  { timeout: 60_000 },
  async () => {
    await using home = new KnarrHome("wrong")
    const cases: readonly [args: readonly string[], message: RegExp][] = [
      [["upp"], /^error: unknown command "upp"; run "knarr help"\n$/],
      [["up", "--agentz", "2"], /^error: Unknown option '--agentz'\nusage: knarr up \[--name NAME\]/],
      [["down", "--name", "none"], /^error: there is no cluster "none" in .*; create it with "knarr up"\n$/],
      [["kubectl", "frobnicate"], /^error: unknown command "frobnicate" for "kubectl"/],
    ]
    const results = await Promise.all(cases.map(([args]) => home.try(...args)))
    for (const [i, [args, message]] of cases.entries()) {
      assert.equal(results[i]!.code, 1, args.join(" "))
      assert.match(results[i]!.stderr, message)
      assert.equal(results[i]!.stdout, "", args.join(" "))
    }
    assert.deepEqual(readdirSync(home.dir), [])
    assert.match(await home.knarr("help"), /usage: knarr COMMAND/)
  },
)

test("a node needs root, a control plane does not; both say so", { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-e2e-nobody-"))
  execFileSync("chown", ["65534:65534", dir])
  // The command itself may be in a folder that only root may enter.
  const asNobody = (...args: string[]): Promise<CommandResult> =>
    runProgram(
      "setpriv",
      [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        knarr,
        ...args,
      ],
      {
        PATH: process.env["PATH"],
        HOME: dir,
        KNARR_HOME: dir,
        NODE_COMPILE_CACHE: "",
      },
    )
  try {
    const refused = await asNobody("up")
    assert.equal(refused.code, 1)
    assert.equal(
      refused.stderr,
      'error: a node runs containers and needs root: run "sudo knarr up", or "knarr up --no-agent" for a control plane alone\n',
    )
    assert.deepEqual(
      readdirSync(dir).filter((name) => name === "default"),
      [],
    )
    const alone = await asNobody("up", "--no-agent")
    assert.equal(alone.code, 0, alone.stderr)
    const namespaces = await asNobody("kubectl", "get", "namespaces", "-o", "name")
    assert.match(namespaces.stdout, /namespace\/kube-system/, namespaces.stderr)
    assert.equal((await asNobody("delete")).code, 0)
  } finally {
    await asNobody("delete")
    rmSync(dir, { recursive: true, force: true })
  }
})

test("a port that is taken is named, and nothing is started", { timeout: 60_000 }, async () => {
  await using home = new KnarrHome("port")
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    const { port } = server.address() as AddressInfo
    const { code, stderr } = await home.try("up", "--no-agent", "--name", "port", "--port", String(port))
    assert.equal(code, 1)
    assert.equal(stderr, `error: port ${port} is already in use: choose another one with --port\n`)
    assert.equal((await home.try("status", "--name", "port")).code, 1)
    // The same when it was taken while the cluster was down.
    const free = await new Promise<number>((resolve) => {
      const probe = createServer()
      probe.listen(0, "127.0.0.1", () => {
        const found = (probe.address() as AddressInfo).port
        probe.close(() => resolve(found))
      })
    })
    await home.up("--no-agent", "--port", String(free))
    await home.knarr("down", "--name", "port")
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(free, "127.0.0.1", resolve))
    const again = await home.try("up", "--name", "port")
    taken.close()
    assert.deepEqual(
      [again.code, again.stderr],
      [1, `error: port ${free} is already in use: choose another one with --port\n`],
    )
  } finally {
    server.close()
  }
})

test(
  "a flag with which no server can start is named with its file, and is not kept",
  { timeout: 120_000 },
  async () => {
    await using home = new KnarrHome("flags")
    const broken = join(home.dir, "broken.yaml")
    writeFileSync(broken, "{")
    const nope = join(home.dir, "nope.yaml")
    const cases: readonly (readonly [flag: string, file: string, ...more: string[]])[] = [
      ["encryption-provider-config", nope],
      ["authentication-config", broken],
      ["authorization-config", broken],
      ["admission-control-config-file", broken],
      ["audit-policy-file", broken, "--audit-log-path=-"],
    ]
    for (const [flag, file, ...more] of cases) {
      const { code, stderr } = await home.try(
        "up",
        "--name=flags",
        "--no-agent",
        `--${flag}=${file}`,
        ...more,
      )
      assert.equal(code, 1)
      assert.ok(stderr.startsWith(`error: --${flag}: `) && stderr.includes(file), stderr)
    }
    await home.up()
  },
)

test("a damaged store is told apart from an empty one", { timeout: 60_000 }, async () => {
  await using home = new KnarrHome("damaged")
  await home.up("--no-agent")
  await home.knarr("down", "--name", "damaged")
  const dir = join(home.dir, "damaged", "store")
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const [largest] = files
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(b).size - statSync(a).size)
  const healthy = readFileSync(largest!)
  const size = healthy.length
  // What comes after is room that is kept in reserve.
  const used = healthy.findLastIndex((byte) => byte !== 0)
  for (const [what, damage] of [
    ["garbage", () => writeFileSync(largest!, Buffer.alloc(size, "garbage"))],
    ["half a file", () => truncateSync(largest!, Math.floor(used / 2 / 4096) * 4096 - 100)],
  ] as const) {
    damage()
    const { code, stderr } = await home.try("up", "--name", "damaged")
    assert.equal(code, 1, `${what}: ${stderr}`)
    assert.match(
      stderr,
      /^error: Cannot open the store ".*": the file is damaged\. Restore a snapshot \("knarr snapshot restore --replace"\), or delete the cluster\n$/,
      what,
    )
    assert.equal((await home.try("status", "--name", "damaged")).code, 1)
    writeFileSync(largest!, healthy)
  }
  await home.up()
  const { client, transport } = await home.connect()
  using _transport = transport
  assert.ok((await client.list(configMap, { namespace: "kube-system" })).items.length > 0)
})

test(
  "a full disk refuses writes and nothing else, until there is room again",
  { timeout: 90_000 },
  async () => {
    await using home = new KnarrHome("full")
    const store = join(home.dir, "full", "store")
    mkdirSync(store, { recursive: true })
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", store])
    try {
      await home.up("--no-agent")
      const { client, transport } = await home.connect()
      using _transport = transport
      const text = "x".repeat(500_000)
      const write = (name: string) =>
        client.create(configMap, { metadata: { namespace, name }, data: { text } })
      let written = 0
      await assert.rejects(async () => {
        for (; written < 200; written++) await write(`big-${written}`)
      }, /etcdserver: mvcc: database space exceeded/)
      assert.ok(written > 2, `${written} objects fit`)
      const found = await client.list(configMap, { namespace })
      assert.equal(found.items.filter((one) => one.metadata.name.startsWith("big-")).length, written)
      assert.equal((await client.get(configMap, { namespace, name: "big-0" })).data!["text"], text)
      await assert.rejects(write("another"), /etcdserver: mvcc: database space exceeded/)
      execFileSync("mount", ["-o", "remount,size=96m", store])
      await eventually("a write to succeed", () => write("after"), 20_000)
      await home.recovered(home.crash("server"))
      const after = await client.list(configMap, { namespace })
      assert.equal(after.items.filter((one) => /^(big|after)/.test(one.metadata.name)).length, written + 1)
    } finally {
      await home.try("down", "--name", "full")
      execFileSync("umount", ["-l", store])
    }
  },
)

test("an image that is not there, and an address that is taken", { timeout: 90_000 }, async () => {
  await using home = new KnarrHome("image")
  await home.up()
  const { client, transport } = await home.connect()
  using _transport = transport
  await client.create(pod, {
    metadata: { namespace, name: "none" },
    spec: {
      containers: [
        { name: "main", image: "127.0.0.1:1/none:1" },
        { name: "never", image: "never:1", imagePullPolicy: "Never" },
        { name: "bad", image: "Not A Name" },
      ],
    },
  })
  const waiting = async (): Promise<Map<string, ContainerStateWaiting>> => {
    const { status } = await client.get(pod, { namespace, name: "none" })
    return new Map((status.containerStatuses ?? []).map((one) => [one.name, one.state?.waiting ?? {}]))
  }
  await eventually(
    "ErrImagePull",
    async () => (await waiting()).get("main")?.reason === "ErrImagePull" || undefined,
  )
  const states = await eventually("the back-off", async () => {
    const found = await waiting()
    return found.get("main")?.reason === "ImagePullBackOff" ? found : undefined
  })
  assert.match(states.get("main")!.message!, /^Back-off pulling image "127\.0\.0\.1:1\/none:1"/)
  assert.equal(states.get("never")!.reason, "ErrImageNeverPull")
  assert.equal(states.get("bad")!.reason, "InvalidImageName")
  for (const line of [
    /^Pulling: Pulling image "127\.0\.0\.1:1\/none:1"$/,
    /^Failed: Failed to pull image "127\.0\.0\.1:1\/none:1": /,
    /^Failed: Error: ErrImagePull$/,
    /^BackOff: Back-off pulling image "127\.0\.0\.1:1\/none:1"/,
    /^Failed: Error: ImagePullBackOff$/,
    /^ErrImageNeverPull: Container image "never:1" is not present with pull policy of Never$/,
    /^InspectFailed: Failed to apply default image tag "Not A Name": couldn't parse image name "Not A Name": invalid reference format/,
  ])
    await eventually(`the event ${line}`, async () => {
      const { items } = await client.list(event, { namespace })
      return items.some(({ reason, message }) => line.test(`${reason}: ${message}`)) || undefined
    })

  // A start that fails late ends all the same, and takes with it what had started.
  const { index, port } = JSON.parse(readFileSync(join(home.dir, "image", "cluster.json"), "utf8")) as {
    index: number
    port: number
  }
  await home.knarr("down", "--name", "image")
  const address = `10.89.${index}.1`
  execFileSync("ip", ["address", "add", `${address}/32`, "dev", "lo"])
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(port, address, resolve))
  const failed = await home.try("up", "--name", "image")
  taken.close()
  execFileSync("ip", ["address", "delete", `${address}/32`, "dev", "lo"])
  assert.deepEqual(
    [failed.code, failed.stderr],
    [1, `error: listen EADDRINUSE: address already in use ${address}:${port}\n`],
  )
  await home.up()
})
