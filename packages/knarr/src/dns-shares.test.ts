/**
 * What one pod asks of the node's DNS takes nothing from another, on a real kernel, in network namespaces of the
 * test's own. The DNS stands still while a pod floods it and another asks, so nothing depends on who is faster.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { test } from "node:test"
import { Scope, createPrivateKeyPem, systemClock } from "@knarr/base"
import { systemEnv } from "@knarr/testkit"

const role = process.env["KNARR_TEST_ROLE"]
const dnsAddress = "10.96.0.10"
const signal = AbortSignal.timeout(120_000)
const able =
  process.getuid?.() === 0 && ["nft", "unshare"].every((name) => spawnSync(name, ["--version"]).status === 0)
/** More than any buffer holds, and than connections may wait. */
const floodQuestions = 6_000
const floodConnections = 1_000
/** An ordinary pod's, all at once. */
const burst = 400

if (role === "flood") await flood()
else if (role === "ask") await ask()
else if (role === "node") testOnRealKernel()
else
  test("Shares of DNS on a real kernel", { skip: able ? false : "needs root, nft and unshare" }, () => {
    // The reporter of the outer run must not speak for the inner one.
    const { NODE_TEST_CONTEXT: _, ...rest } = process.env
    const script = `mount -t tmpfs none /run && mkdir /run/netns && ip link set lo up && exec "$@"`
    const self = [process.execPath, "--test-reporter=tap", import.meta.filename]
    const result = spawnSync("unshare", ["--net", "--mount", "bash", "-ec", script, "bash", ...self], {
      encoding: "utf8",
      env: { ...rest, KNARR_TEST_ROLE: "node" },
    })
    assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`)
    assert.match(result.stdout, /\n# pass 1\n/)
  })

/** A question for `10-244-1-2.default.pod.cluster.local`. */
function question(id: number): Buffer {
  const labels = ["10-244-1-2", "default", "pod", "cluster", "local"]
  const name = labels.map((label) => `${String.fromCharCode(label.length)}${label}`).join("")
  const head = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([head, Buffer.from(name), Buffer.from([0, 0, 1, 0, 1])])
}

/** Of one source over many ports, to the common door and to the shares'; then connections. Prints how many there are. */
async function flood(): Promise<void> {
  const doors = JSON.parse(process.env["KNARR_TEST_PORTS"]!) as number[]
  const sockets = Array.from({ length: 20 }, () => createSocket("udp4"))
  await Promise.all(
    Array.from(
      { length: floodQuestions },
      (_, i) =>
        new Promise<void>((resolve) => {
          const port = i % 4 === 3 ? doors[i % doors.length]! : 53
          sockets[i % sockets.length]!.send(question(1), port, dnsAddress, () => resolve())
        }),
    ),
  )
  let connected = 0
  for (let i = 0; i < floodConnections; i++) connect(53, dnsAddress, () => connected++).on("error", () => {})
  await systemClock.sleep(100, signal)
  process.stdout.write(`${connected}`)
  process.exit()
}

/** Asks all at once, says so in a file, and writes there how many answers came when they have all come. */
async function ask(): Promise<void> {
  const file = process.env["KNARR_TEST_FILE"]!
  const socket = createSocket("udp4")
  const answers = new Set<number>()
  socket.on("message", (answer, from) => {
    assert.equal(from.port, 53)
    answers.add(answer.readUInt16BE(0))
    if (answers.size === burst) socket.close(() => writeFileSync(`${file}.udp`, "all"))
  })
  for (let i = 0; i < burst; i++)
    await new Promise((resolve) => socket.send(question(i), 53, dnsAddress, resolve))
  const connection = connect(53, dnsAddress, () => {
    connection.write(Buffer.concat([Buffer.from([0, question(7).length]), question(7)]))
    writeFileSync(`${file}.asked`, "")
  })
  connection.once("data", () => {
    writeFileSync(`${file}.tcp`, "answered")
    connection.destroy()
  })
}

function testOnRealKernel(): void {
  test("a pod that floods takes no answer from another, whose hundreds at once are all answered", async () => {
    // The pods' processes need none of these.
    const { kinds } = await import("@knarr/api")
    const { ipv4Address, ipv4Network, nameText, readPort } = await import("@knarr/apimachinery")
    const { createControlPlane } = await import("@knarr/apiserver")
    const { createInformerFactory } = await import("@knarr/client")
    const { startDns } = await import("@knarr/dns")
    const { applyMasquerade, dnsShareChains } = await import("@knarr/pod-network")
    const { createMemoryStore } = await import("@knarr/store")
    await using scope = new Scope("test")
    const env = systemEnv()
    const store = scope.use(createMemoryStore({ env }))
    const serviceAccounts = { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] }
    const plane = await createControlPlane({ env, store, kinds, scope, serviceAccounts })
    const informers = createInformerFactory({ client: plane.client(), scope: scope.child("informers"), env })
    sh(`ip address add ${dnsAddress}/32 dev lo
      ip link add pods type bridge; ip address add 10.244.1.1/24 dev pods; ip link set pods up
      for i in 2 3; do
        ip netns add pod$i; ip link add host$i type veth peer name eth0 netns pod$i
        ip link set host$i master pods up; ip -n pod$i address add 10.244.1.$i/24 dev eth0
        ip -n pod$i link set eth0 up; ip -n pod$i route add default via 10.244.1.1
      done`)
    const { shares } = await startDns({
      informers,
      env,
      scope: scope.child("dns"),
      addresses: [dnsAddress],
      upstreams: [],
      shares: true,
    })
    assert.equal(new Set(shares).size, 256)
    const address = ipv4Address(dnsAddress)
    const chains = dnsShareChains({ address, ports: shares.map((port) => readPort(port)!) })
    const pods = ipv4Network("10.244.0.0/16")
    await applyMasquerade({ table: nameText("knarr-test-net"), from: pods, except: [pods], chains }, signal)

    const connected = sh(
      `self() { KNARR_TEST_ROLE=$1 ${process.execPath} ${import.meta.filename}; }
      in_pod() { nsenter --net=/run/netns/pod$1 "\${@:2}"; }
      export -f self
      in_pod 2 bash -c "self flood"
      for i in 3 here; do
        export KNARR_TEST_FILE=/run/$i
        if [ $i = here ]; then self ask >/run/$i.out 2>&1 & else in_pod $i bash -c "self ask" >/run/$i.out 2>&1 & fi
        until [ -e /run/$i.asked ]; do sleep 0.02; done
      done`,
      { KNARR_TEST_PORTS: JSON.stringify(shares) },
    )
    assert.ok(Number(connected) < floodConnections, `${connected} connections of one source wait`)
    for (const i of ["3", "here"])
      for (const [what, expected] of [
        ["udp", "all"],
        ["tcp", "answered"],
      ]) {
        while (!existsSync(`/run/${i}.${what}`) && !signal.aborted) await systemClock.sleep(20, signal)
        assert.equal(readFileSync(`/run/${i}.${what}`, "utf8"), expected)
      }
  })
}

function sh(script: string, more: NodeJS.ProcessEnv = {}): string {
  const env = { ...process.env, ...more }
  const { status, stderr, stdout } = spawnSync("bash", ["-ec", script], {
    encoding: "utf8",
    env,
    timeout: 60_000,
  })
  assert.equal(status, 0, stderr)
  return stdout
}
