import assert from "node:assert/strict"
import { test } from "node:test"
import { createPrivateKeyPem, VirtualClock } from "@knarr/base"
import type { StatusError } from "@knarr/apimachinery"
import { createAuthenticator } from "./authenticator.ts"
import { ServiceAccountTokens } from "./service-account-tokens.ts"
import { TokenSigner } from "./token-signer.ts"
import { ClientCertificates } from "./x509.ts"

const clock = new VirtualClock()
const signer = new TokenSigner({ signingKey: createPrivateKeyPem(), issuers: ["https://here"] })
const authenticator = createAuthenticator({
  certificates: new ClientCertificates(clock, undefined),
  serviceAccountTokens: new ServiceAccountTokens(signer, { get: () => undefined, list: () => [] }, clock),
  audiences: ["https://here"],
  staticTokens: new Map([
    ["good", { name: "eve", groups: ["system:authenticated"] }],
    ["x".repeat(20_000), { name: "long", groups: [] }],
  ]),
})

/** The user's name, or the status of the refusal. */
function nameOf(headers: Readonly<Record<string, string>>): string | number {
  try {
    return authenticator.authenticate({ socket: undefined, header: (name) => headers[name] ?? "" }).name
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
