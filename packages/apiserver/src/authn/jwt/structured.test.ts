import assert from "node:assert/strict"
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { createPrivateKeyPem, Scope, VirtualClock } from "@knarr/base"
import type { TokenOwner } from "../../contract.ts"
import { testCertificates, testEnv } from "../../testing.ts"
import { parseAuthentication } from "./config.ts"
import { StructuredAuthentication } from "./structured.ts"

const certificates = testCertificates()
const ec = createPrivateKey(createPrivateKeyPem())
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
const clock = new VirtualClock()

interface Issuer {
  readonly url: string
  keys: { kid: string; key: KeyObject }[]
  asked: string[]
}

/** An issuer of tokens on this machine. */
async function startIssuer(t: TestContext): Promise<Issuer> {
  const server = createServer({ ...certificates.server }, (request, response) => {
    issuer.asked.push(request.url!)
    if (request.url === "/.well-known/openid-configuration")
      return void response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }))
    const keys = issuer.keys.map(({ kid, key }) => ({
      ...createPublicKey(key).export({ format: "jwk" }),
      kid,
      use: "sig",
    }))
    response.end(JSON.stringify({ keys }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  t.after(() => void server.close())
  const issuer: Issuer = {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    keys: [{ kid: "one", key: ec }],
    asked: [],
  }
  return issuer
}

function tokenOf(claims: object, kid = "one", key = ec, alg = key === rsa ? "RS256" : "ES256"): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
  const input = `${part({ alg, kid })}.${part(claims)}`
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`
}

const indented = (pem: string): string => pem.trim().replaceAll("\n", "\n        ")

const configOf = (url: string, rest: string): string => `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
  - issuer:
      url: ${url}
      audiences: [me, you]
      audienceMatchPolicy: MatchAny
      certificateAuthority: |
        ${indented(certificates.ca.cert)}
${rest}`

const mappings = `
    claimMappings:
      username: { expression: '"sso:" + claims.sub' }
      groups: { expression: "claims.roles.split(',')" }
      uid: { claim: id }
      extra:
        - { key: example.com/level, valueExpression: "claims.?level.orValue(0.0) > 1.0 ? 'high' : ''" }
    claimValidationRules:
      - { expression: "claims.tenant == 'a'", message: another tenant }
    userValidationRules:
      - { expression: "!user.username.startsWith('sso:system:')", message: reserved }
`

test("tokens of an issuer name users as its configuration says", async (t) => {
  const issuer = await startIssuer(t)
  const dir = mkdtempSync(join(tmpdir(), "knarr-authn-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "config.yaml")
  writeFileSync(file, configOf(issuer.url, mappings))
  const env = { ...testEnv, clock }
  await using scope = new Scope("test", { env })
  const authentication = await StructuredAuthentication.start({ file, ours: [] }, env, scope)
  /** The file is read by the time that real events have had their turn. */
  const nextReading = async (): Promise<void> => {
    await clock.advance(10_000)
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  }
  const ask = async (token: string): Promise<unknown> => {
    const said = await authentication.authenticate(token, [], {})
    return said && ("error" in said ? said.error : (said as TokenOwner).user)
  }
  const claims = {
    iss: issuer.url,
    aud: "me",
    exp: clock.now() / 1000 + 60,
    sub: "eve",
    roles: "a,b,",
    id: "7",
    level: 2,
    tenant: "a",
    jti: "x",
  }
  assert.equal(await ask(tokenOf(claims)), "oidc: authenticator not initialized")
  while (!issuer.asked.includes("/.well-known/openid-configuration")) await new Promise(setImmediate)
  while ((await ask(tokenOf(claims))) === "oidc: authenticator not initialized")
    await new Promise(setImmediate)
  const user = {
    name: "sso:eve",
    groups: ["a", "b"],
    uid: "7",
    extra: { "authentication.kubernetes.io/credential-id": ["JTI=x"], "example.com/level": ["high"] },
  }
  assert.deepEqual(await ask(tokenOf(claims)), user)
  assert.deepEqual(await ask(tokenOf({ ...claims, aud: ["others", "you"] })), user)
  for (const [what, token, error] of [
    ["late", tokenOf({ ...claims, exp: clock.now() / 1000 - 1 }), /oidc: token is expired/],
    ["early", tokenOf({ ...claims, nbf: clock.now() / 1000 + 301 }), /before the nbf/],
    [
      "for others",
      tokenOf({ ...claims, aud: "others" }),
      /expected audience in \["me" "you"\] got \["others"\]/,
    ],
    ["forged", tokenOf(claims).slice(0, -6) + "AAAAAA", /failed to verify id token signature/],
    ["unsigned", tokenOf(claims, "one", ec, "none"), /unsupported algorithm/],
    ["of another kind of key", tokenOf(claims, "one", rsa), /failed to verify/],
    [
      "of another tenant",
      tokenOf({ ...claims, tenant: "b" }),
      /expression 'claims.tenant == 'a'' failed: another tenant$/,
    ],
    ["without a claim", tokenOf({ ...claims, tenant: undefined }), /no such key: tenant/],
    ["for a reserved name", tokenOf({ ...claims, sub: "system:masters" }), /failed: reserved$/],
  ] as const)
    assert.match(String(await ask(token)), error, what)
  assert.equal(await ask(tokenOf({ ...claims, iss: "https://other" })), undefined)
  assert.equal(await ask("no token"), undefined)

  issuer.keys = [{ kid: "two", key: rsa }]
  await clock.advance(1000)
  assert.deepEqual(await ask(tokenOf(claims, "two", rsa)), user, "new keys are asked for")

  writeFileSync(file, configOf(issuer.url, "    claimMappings: { username: { claim: sub, prefix: '' } }\n"))
  while (JSON.stringify(await ask(tokenOf(claims, "two", rsa))).includes("sso:")) await nextReading()
  while (String(await ask(tokenOf(claims, "two", rsa))).includes("initialized"))
    await new Promise(setImmediate)
  const fresh = { ...claims, exp: clock.now() / 1000 + 60 }
  assert.equal(
    ((await ask(tokenOf(fresh, "two", rsa))) as { name: string }).name,
    "eve",
    "the file is read again",
  )
  writeFileSync(file, "nonsense: [")
  await nextReading()
  assert.equal(
    ((await ask(tokenOf(fresh, "two", rsa))) as { name: string }).name,
    "eve",
    "a wrong one changes nothing",
  )
})

test("a configuration that is wrong is told in Kubernetes' words", async () => {
  const url = "https://issuer.example.com"
  for (const [rest, problem] of [
    [
      "    claimMappings: { username: { claim: sub } }",
      /jwt\[0\].claimMappings.username.prefix: Required value: prefix is required when claim is set/,
    ],
    [
      "    claimMappings: { username: { claim: sub, expression: claims.sub } }",
      /username: Invalid value: "": claim and expression can't both be set/,
    ],
    ["    claimMappings: {}", /username: Required value: claim or expression is required/],
    ["    claimMappings: { username: { expression: claims.email } }", /claims.email_verified must be used/],
    [
      "    claimMappings: { username: { expression: 'claims.' } }",
      /username.expression: Invalid value: "claims.": compilation failed: ERROR/,
    ],
    [
      "    claimMappings: { username: { claim: a, prefix: '' }, extra: [{ key: k8s.io/x, valueExpression: '1' }] }",
      /reserved for Kubernetes use/,
    ],
    [
      "    claimMappings: { username: { claim: a, prefix: '' } }\n    userValidationRules: [{ expression: user.username }]",
      /must evaluate to bool/,
    ],
    [
      "    claimMappings: { username: { claim: a, prefix: '' } }\n    nonsense: 1",
      /unknown field "jwt\[0\].nonsense"/,
    ],
    [
      "    claimMappings: { username: { claim: a, prefix: '' } }\nanonymous: { enabled: false, conditions: [{ path: /livez }] }",
      /enabled should be set to true when conditions are defined/,
    ],
  ] as const)
    await assert.rejects(parseAuthentication(configOf(url, rest), []), problem)
  const good = configOf(url, "    claimMappings: { username: { claim: a, prefix: '' } }")
  await assert.rejects(
    parseAuthentication(good, [url]),
    /URL must not overlap with disallowed issuers: \[https/,
  )
  await assert.rejects(
    parseAuthentication(good.replace("https://", "http://"), []),
    /jwt\[0\].issuer.url: Invalid value: "http:\/\/issuer.example.com": URL scheme must be https/,
  )
  assert.equal((await parseAuthentication(good, [])).rules.length, 1)
})
