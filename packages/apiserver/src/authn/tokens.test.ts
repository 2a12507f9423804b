import assert from "node:assert/strict"
import { generateKeyPairSync } from "node:crypto"
import { describe, it } from "node:test"
import { serviceAccount } from "@knarr/api"
import { VirtualClock, createPrivateKeyPem } from "@knarr/base"
import { ServiceAccountTokens, type ObjectReader } from "./service-account-tokens.ts"
import { TokenSigner } from "./token-signer.ts"

const issuer = "https://kubernetes.default.svc"
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
  type: "pkcs8",
  format: "pem",
}) as string

for (const [name, signingKey] of [
  ["ES256", createPrivateKeyPem()],
  ["RS256", rsa],
] as const) {
  describe(`service account tokens (${name})`, () => {
    const clock = new VirtualClock()
    const now = clock.now() / 1000
    const signer = new TokenSigner({ signingKey, issuers: [issuer] })
    let uid: string | undefined = "u1"
    const reader: ObjectReader = {
      get: (kind) =>
        (kind === (serviceAccount as unknown) && uid
          ? { metadata: { name: "robot", uid } }
          : undefined) as never,
      list: () => [],
    }
    const tokens = new ServiceAccountTokens(signer, reader, clock)
    const claims = {
      aud: [issuer],
      exp: now + 3600,
      nbf: now,
      iss: issuer,
      jti: "j1",
      sub: "system:serviceaccount:ci:robot",
      "kubernetes.io": { namespace: "ci", serviceaccount: { name: "robot", uid: "u1" } },
    }
    const errorOf = (text: string, audiences = [issuer]): string | undefined => {
      const result = tokens.authenticate(text, audiences)
      return result && "error" in result ? result.error : undefined
    }

    it("gives the user of a good token", () => {
      assert.deepEqual(tokens.authenticate(signer.sign(claims), [issuer]), {
        user: {
          name: "system:serviceaccount:ci:robot",
          uid: "u1",
          groups: ["system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"],
          extra: { "authentication.kubernetes.io/credential-id": ["JTI=j1"] },
        },
        audiences: [issuer],
      })
    })

    it("refuses what is forged, late, early or meant for others", () => {
      const good = signer.sign(claims)
      const [head, , signature] = good.split(".")
      const forged = `${head}.${Buffer.from(JSON.stringify({ ...claims, sub: "x" })).toString("base64url")}.${signature}`
      assert.equal(errorOf(forged), "invalid bearer token")
      const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${good.split(".")[1]}.`
      assert.equal(errorOf(none), "invalid bearer token")
      assert.equal(errorOf(signer.sign({ ...claims, exp: now - 100 })), "service account token has expired")
      assert.equal(
        errorOf(signer.sign({ ...claims, nbf: now + 100 })),
        "service account token is not valid yet",
      )
      assert.match(errorOf(good, ["other"])!, /is invalid for the target audiences/)
      assert.equal(tokens.authenticate("garbage", [issuer]), undefined)
    })

    it("refuses tokens of an account that is gone or was made anew", () => {
      const good = signer.sign(claims)
      uid = "u2"
      assert.equal(errorOf(good), "service account UID (u2) does not match claim (u1)")
      uid = undefined
      assert.equal(errorOf(good), 'serviceaccounts "robot" not found')
      uid = "u1"
    })

    it("remembers no token that it did not sign, and never takes one for another", () => {
      const good = signer.sign(claims)
      const parts = good.split(".")
      for (const text of [`${good}x`, `${good}=`, `${parts[0]}.${parts[1]}.`, `${good}.`, ` ${good}`]) {
        for (let again = 0; again < 2; again++) {
          const result = tokens.authenticate(text, [issuer])
          assert.ok(result === undefined || "error" in result, text)
        }
      }
      assert.ok("user" in tokens.authenticate(good, [issuer])!)
    })

    it("publishes its key", () => {
      const { keys } = JSON.parse(signer.jwks()) as { keys: Record<string, string>[] }
      assert.equal(keys[0]!["alg"], name)
      assert.ok(keys[0]!["kid"])
    })
  })
}
