import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { test } from "node:test"
import { ipv4Address, ipv4Network, nameText, readPort } from "@knarr/apimachinery"
import { planForwardRemoval, planForwardRules, planInputRules, planOutputRules } from "./forward-accept.ts"
import { findObstacles, parameterObstacles } from "./host-obstacles.ts"

const able =
  process.getuid?.() === 0 &&
  ["nft", "unshare", "iptables"].every((name) => spawnSync(name, ["--version"]).status === 0)
const own = {
  networks: [ipv4Network("10.244.0.0/16"), ipv4Network("10.89.0.0/24")],
  isOwn: (name: string) => name.startsWith("knarr-0") || name.startsWith("knp-0-"),
}

/** Lines for `nft -f`: a base chain of the hook. */
const base = (table: string, hook: string, policy = "accept"): string =>
  `add table ${table}\nadd chain ${table} c { type filter hook ${hook} priority 0; policy ${policy}; }`
const nft = (...lines: string[]): string => `nft -f - <<'EOF'\n${lines.join("\n")}\nEOF\n`

test(
  "What other programs' rules do to the cluster's packets is found, and what lets them through is not",
  { skip: able ? false : "needs root, nft, iptables and unshare" },
  () => {
    const forwarded = /^the firewall's table (ip|inet) \S+ \(chain c\) drops what is forwarded: /
    const entering = /^the firewall's table (ip|inet) \S+ \(chain c\) drops what comes in: /
    const cases: [what: string, script: string, found: RegExp[]][] = [
      ["nothing", "true", []],
      ["a policy", nft(base("inet fw", "forward", "drop")), [forwarded]],
      ["one of what comes in", nft(base("ip fw", "input", "drop")), [entering]],
      [
        "a last rule",
        nft(
          base("inet fw", "forward"),
          "add rule inet fw c ct state established accept",
          "add rule inet fw c counter log drop",
        ),
        [forwarded],
      ],
      [
        "a last rule of a chain",
        nft(
          base("inet fw", "forward"),
          "add chain inet fw d",
          "add rule inet fw c jump d",
          "add rule inet fw d reject with icmpx type admin-prohibited",
        ),
        [forwarded],
      ],
      [
        "firewalld",
        nft(base("inet firewalld", "forward"), "add rule inet firewalld c reject"),
        [
          /firewall-cmd --permanent --zone=trusted --add-source=10\.244\.0\.0\/16; .*--add-source=10\.89\.0\.0\/24; firewall-cmd --reload$/,
        ],
      ],
      [
        "rules about others",
        nft(
          base("inet fw", "forward"),
          "add rule inet fw c ip saddr 192.0.2.0/24 drop",
          "add rule inet fw c ct state invalid drop",
        ),
        [],
      ],
      ["another family", nft(base("ip6 fw", "forward", "drop"), base("bridge fw", "forward", "drop")), []],
      ["another hook", nft(base("inet fw", "output", "drop")), []],
      [
        "a policy with a rule for our networks",
        nft(
          base("inet fw", "forward", "drop"),
          "add rule inet fw c ip saddr { 10.89.0.0/24, 10.244.0.0/16 } accept",
        ),
        [],
      ],
      [
        "a policy with a rule for our links",
        nft(base("inet fw", "forward", "drop"), 'add rule inet fw c iifname "knp-*" accept'),
        [],
      ],
      ["our own tables", nft(base("ip knarr-0-net", "forward", "drop")), []],
      // Rules of ours in its chains let the cluster through.
      ["iptables as Docker and ufw leave it", "iptables -P FORWARD DROP; iptables -P INPUT DROP", []],
      [
        "kube-proxy's table",
        nft(base("ip kube-proxy", "forward")),
        [/^nftables' table ip kube-proxy .* "nft delete table ip kube-proxy" removes it$/],
      ],
      [
        "kube-proxy's chains",
        "iptables -t nat -N KUBE-SERVICES; iptables -t nat -A PREROUTING -j KUBE-SERVICES",
        [/^iptables has chains KUBE-\* .* "kube-proxy --cleanup" removes them$/],
      ],
    ]
    for (const [what, script, found] of cases) {
      const { status, stdout, stderr } = spawnSync(
        "unshare",
        ["--net", "bash", "-ec", `${script}\nnft -j list ruleset`],
        { encoding: "utf8" },
      )
      assert.equal(status, 0, `${what}: ${stderr}`)
      const obstacles = findObstacles({ ruleset: stdout }, own)
      assert.equal(obstacles.length, found.length, `${what}: ${obstacles.join("\n")}`)
      for (const [i, pattern] of found.entries()) assert.match(obstacles[i]!, pattern, what)
      // What helps is what we say.
      const remedy = /lets the cluster through: (nft .*)$/.exec(obstacles[0] ?? "")?.[1]
      if (remedy === undefined) continue
      const again = spawnSync(
        "unshare",
        [
          "--net",
          "bash",
          "-ec",
          `${script}\n${remedy.replaceAll(/nft ([^;]*)/g, "nft '$1'")}\nnft -j list ruleset`,
        ],
        { encoding: "utf8" },
      )
      assert.equal(again.status, 0, `${what}: ${again.stderr}`)
      assert.deepEqual(findObstacles({ ruleset: again.stdout }, own), [], what)
    }
  },
)

test("Kernel parameters that pods cannot live with are named", () => {
  const root = mkdtempSync(join(tmpdir(), "knarr-sys-"))
  try {
    const set = (name: string, value: string): void => {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), `${value}\n`)
    }
    assert.match(
      parameterObstacles(root).join("\n"),
      /^the kernel has no net\.bridge\.bridge-nf-call-iptables /,
    )
    set("net/bridge/bridge-nf-call-iptables", "1")
    set("net/ipv4/ip_forward", "1")
    set("net/ipv4/conf/all/rp_filter", "2")
    assert.deepEqual(parameterObstacles(root), [])
    for (const [name, value] of [
      ["net/bridge/bridge-nf-call-iptables", "0"],
      ["net/ipv4/ip_forward", "0"],
      ["net/ipv4/conf/all/rp_filter", "1"],
    ] as const)
      set(name, value)
    assert.deepEqual(
      parameterObstacles(root).map((text) => text.split(" could")[0]),
      [
        "net.ipv4.ip_forward is 0 and",
        "net.ipv4.conf.all.rp_filter is 1 and",
        "net.bridge.bridge-nf-call-iptables is 0 and",
      ],
    )
  } finally {
    rmSync(root, { recursive: true })
  }
})

test(
  "iptables that drops is given rules that accept, as its listing then shows them, and they are taken back",
  { skip: able ? false : "needs root, iptables and unshare" },
  () => {
    const tag = nameText("knarr-0-net")
    const doors = [
      {
        from: own.networks,
        address: ipv4Address("10.89.0.1"),
        tcp: [6443, 10250].map((port) => readPort(port)!),
        udp: [],
      },
      { from: own.networks, address: ipv4Address("10.96.0.10"), tcp: [readPort(53)!], udp: [readPort(53)!] },
    ]
    const run = (commands: readonly string[]): string => {
      const script = [...commands, "iptables -S"].join("\n")
      const { status, stdout, stderr } = spawnSync("unshare", ["--net", "bash", "-ec", script], {
        encoding: "utf8",
      })
      assert.equal(status, 0, stderr)
      return stdout
    }
    const plan = (listing: string): string[] =>
      [
        ...planForwardRules(listing, own.networks, tag),
        ...planInputRules(listing, doors, tag),
        ...planOutputRules(listing, doors, tag),
      ].map((args) => `iptables ${args.join(" ")}`)
    assert.deepEqual(plan(run([])), [])
    const settings = [
      ["iptables -P FORWARD DROP", "iptables -P INPUT DROP", "iptables -P OUTPUT DROP"],
      [
        "iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited",
        "iptables -A INPUT -j DROP",
        "iptables -A OUTPUT -j DROP",
      ],
    ]
    for (const setting of settings) {
      const commands = plan(run(setting))
      assert.equal(commands.length, 4 + 8 + 2)
      const after = run([...setting, ...commands])
      assert.deepEqual(plan(after), [])
      const removal = planForwardRemoval(after, tag).map((args) => `iptables ${args.join(" ")}`)
      assert.equal(run([...setting, ...commands, ...removal]), run(setting))
    }
  },
)
