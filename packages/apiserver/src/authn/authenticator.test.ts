import assert from "node:assert/strict"
import { test } from "node:test"
import type { StatusError } from "@knarr/apimachinery"
import { createPrivateKeyPem, silentLogger, VirtualClock } from "@knarr/base"
import type { Credentials, Refused, TokenOwner } from "../contract.ts"
import { createAuthenticator, type FurtherAuthenticators } from "./authenticator.ts"
import { ServiceAccountTokens } from "./service-account-tokens.ts"
import { TokenSigner } from "./token-signer.ts"
import { ClientCertificates } from "./x509.ts"

const clock = new VirtualClock()
const signer = new TokenSigner({ signingKey: createPrivateKeyPem(), issuers: ["https://here"] })
const optionsWith = (further?: FurtherAuthenticators): Parameters<typeof createAuthenticator>[0] => ({
  log: silentLogger,
  further,
  certificates: new ClientCertificates(clock, undefined),
  serviceAccountTokens: new ServiceAccountTokens(signer, { get: () => undefined, list: () => [] }, clock),
  audiences: ["https://here"],
  staticTokens: new Map([
    ["good", { name: "eve", groups: ["system:authenticated"] }],
    ["x".repeat(20_000), { name: "long", groups: [] }],
  ]),
})
const authenticator = createAuthenticator(optionsWith())

const request = (headers: Readonly<Record<string, string>>): Credentials => ({
  socket: undefined,
  headers,
  rawHeaders: [],
  path: "/",
  header: (name) => headers[name] ?? "",
})

/** The user's name, or the status of the refusal. */
function nameOf(headers: Readonly<Record<string, string>>): string | number {
  try {
    const user = authenticator.authenticate(request(headers))
    assert.ok(!(user instanceof Promise), "nothing is waited for")
    return user.name
  } catch (thrown) {
    return (thrown as StatusError).status.code!
  }
}

const protocolOf = (token: string): string =>
  `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`
const webSocket = { upgrade: "WebSocket", connection: "keep-alive, Upgrade" }
const v5 = "v5.channel.k8s.io"
const anonymous = "system:anonymous"

test("tokens in Authorization", () => {
  for (const [authorization, expected] of [
    ["Bearer good", "eve"],
    ["bearer good", "eve"],
    ["BEARER good more", "eve"],
    ["  Bearer good  ", "eve"],
    ["Bearer bad", 401],
    ["Bearer  good", anonymous],
    ["Bearer", anonymous],
    ["Bearer ", anonymous],
    ["Basic good", anonymous],
    ["good", anonymous],
    [`Bearer ${"x".repeat(20_000)}`, 401],
    [`Bearer a.${Buffer.from('{"iss":"https://here"}').toString("base64url")}.c`, 401],
    ["Bearer __proto__", 401],
  ] as const)
    assert.equal(nameOf({ authorization }), expected, authorization.slice(0, 40))
})

test("tokens as subprotocols, for real WebSocket handshakes with another protocol", () => {
  const good = protocolOf("good")
  for (const [headers, protocols, expected] of [
    [webSocket, `${good}, ${v5}`, "eve"],
    [webSocket, `${v5},${good}`, "eve"],
    [webSocket, good, 401],
    [webSocket, `${good},${good},${v5}`, 401],
    [webSocket, `${protocolOf("bad")}, ${v5}`, 401],
    [webSocket, `${good}=, ${v5}`, 401],
    [webSocket, `${good}!, ${v5}`, 401],
    [webSocket, `base64url.bearer.authorization.k8s.io._w, ${v5}`, 401],
    [webSocket, `base64url.bearer.authorization.k8s.io., ${v5}`, anonymous],
    [webSocket, v5, anonymous],
    [{}, `${good}, ${v5}`, anonymous],
    [{ upgrade: "websocket" }, `${good}, ${v5}`, anonymous],
    [{ upgrade: "SPDY/3.1", connection: "Upgrade" }, `${good}, ${v5}`, anonymous],
    [{ upgrade: "websocket", connection: "close, upgraded" }, `${good}, ${v5}`, anonymous],
  ] as const)
    assert.equal(nameOf({ ...headers, "sec-websocket-protocol": protocols }), expected, protocols)
})

test("authenticators that wait: a front proxy before all, webhooks for tokens that nobody else knows", async () => {
  const asked: string[] = []
  const known: Readonly<Record<string, TokenOwner | Refused>> = {
    carol: { user: { name: "carol", groups: [] } },
    dave: { user: { name: "dave", groups: ["devs"] }, audiences: ["https://here", "other"] },
    erin: { user: { name: "erin", groups: [] }, audiences: ["other"] },
    frank: { error: "expired" },
  }
  const patient = createAuthenticator(
    optionsWith({
      requests: [
        {
          async authenticate({ header }) {
            await Promise.resolve()
            const name = header("x-remote-user")
            return name === "" ? undefined : { name, groups: [] }
          },
        },
      ],
      tokens: [
        {
          async authenticate(token) {
            asked.push(token)
            await Promise.resolve()
            if (token === "broken") throw new Error("connection refused")
            return known[token]
          },
        },
      ],
    }),
  )
  const who = async (headers: Readonly<Record<string, string>>): Promise<string> => {
    try {
      const { name, groups } = await patient.authenticate(request(headers))
      return `${name} ${groups.join(",")}`
    } catch (thrown) {
      return String((thrown as StatusError).status.code)
    }
  }
  for (const [headers, expected] of [
    [{}, "system:anonymous system:unauthenticated"],
    [{ "x-remote-user": "bob", authorization: "Bearer broken" }, "bob system:authenticated"],
    [{ authorization: "Bearer good" }, "eve system:authenticated"],
    [{ authorization: "Bearer carol" }, "carol system:authenticated"],
    [{ authorization: "Bearer dave" }, "dave devs,system:authenticated"],
    [{ authorization: "Bearer erin" }, "401"],
    [{ authorization: "Bearer frank" }, "401"],
    [{ authorization: "Bearer broken" }, "401"],
    [
      {
        ...webSocket,
        authorization: "Bearer frank",
        "sec-websocket-protocol": `${protocolOf("carol")}, ${v5}`,
      },
      "carol system:authenticated",
    ],
  ] as const)
    assert.equal(await who(headers), expected, JSON.stringify(headers))
  assert.ok(!asked.includes("good"))
  assert.deepEqual(await patient.authenticateToken("frank", [], {}), { error: "expired" })
  assert.deepEqual(await patient.authenticateToken("broken", [], {}), { error: "connection refused" })
  assert.deepEqual(await patient.authenticateToken("nobody", [], {}), { error: "invalid bearer token" })
})
