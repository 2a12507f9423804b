import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { request } from "node:https"
import { join } from "node:path"
import { test } from "node:test"
import { respondText } from "../server/respond.ts"
import { listen, type Listener } from "../server/listener.ts"
import { testCertificates, testEnv } from "../testing.ts"
import { ClientCertificates } from "./x509.ts"

/** Chains made by OpenSSL, and what Kubernetes answers to them. */
interface Chains {
  readonly ca: string
  readonly intermediate: string
  readonly cases: readonly {
    readonly what: string
    readonly cert: string
    readonly key: string
    readonly answer: "anonymous" | "unauthorized" | { readonly name: string; readonly groups: string[] }
  }[]
}

const chains = JSON.parse(
  readFileSync(join(import.meta.dirname, "testdata/client-chains.json"), "utf8"),
) as Chains
const { server } = testCertificates()

async function serve(
  clientCA: string | undefined,
  run: (listener: Listener, users: ClientCertificates) => Promise<void>,
  verifiedBy = clientCA,
): Promise<void> {
  const users = new ClientCertificates(testEnv.clock, verifiedBy)
  const listener = await listen({
    ...testEnv,
    bindAddresses: ["127.0.0.1"],
    port: 0,
    certificates: { ...server, clientCA },
    onRequest: (exchange) =>
      respondText(exchange, 200, JSON.stringify(users.authenticate(exchange) ?? "anonymous")),
    takesUpgrade: () => false,
  })
  try {
    await run(listener, users)
  } finally {
    await listener.close(0)
  }
}

type Answer = "anonymous" | "unauthorized" | { name: string; groups: string[] }

function ask(listener: Listener, pair: { cert?: string; key?: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port: listener.port,
      ...pair,
      rejectUnauthorized: false,
      agent: false,
    }
    const sent = request(options, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      response.on("end", () => {
        const value = JSON.parse(text) as "anonymous" | { error: string } | { name: string; groups: string[] }
        if (value === "anonymous") return resolve(value)
        resolve("error" in value ? "unauthorized" : { name: value.name, groups: value.groups })
      })
    })
    sent.on("error", reject)
    sent.end()
  })
}

/** OpenSSL wants the use to be named: stricter than Kubernetes, which takes any use for every use. */
const stricter = new Set(["for any use"])

test("a client's chain gets the answer of Kubernetes", async () => {
  await serve(chains.ca, async (listener) => {
    for (const { what, cert, key, answer } of chains.cases)
      assert.deepEqual(
        await ask(listener, { cert, key }),
        stricter.has(what) ? "unauthorized" : answer,
        `a certificate ${what}`,
      )
    assert.equal(await ask(listener, {}), "anonymous")
  })
})

const [plain, chained] = chains.cases

test("an intermediate is an authority beside its root, and refused alone", async () => {
  await serve(chains.ca + chains.intermediate, async (listener) => {
    assert.deepEqual(
      await ask(listener, { ...chained!, cert: chained!.cert.split(/(?<=END CERTIFICATE-----\n)/)[0]! }),
      chained!.answer,
    )
  })
  assert.throws(
    () => new ClientCertificates(testEnv.clock, chains.intermediate),
    /Cannot verify clients by the authority "CN=sub": its own issuer is not among the authorities/,
  )
})

test("without an authority, or with another one than in the handshake, no certificate is good", async () => {
  await serve(undefined, async (listener) => assert.equal(await ask(listener, plain!), "anonymous"))
  await serve(
    undefined,
    async (listener) => assert.equal(await ask(listener, plain!), "unauthorized"),
    chains.ca,
  )
  const other = testCertificates().ca.cert
  await serve(chains.ca, async (listener, users) => {
    assert.deepEqual(await ask(listener, plain!), plain!.answer)
    users.setAuthority(other)
    assert.equal(await ask(listener, plain!), "unauthorized")
    listener.setCertificates({ ...server, clientCA: other })
    assert.equal(await ask(listener, plain!), "unauthorized")
  })
})
