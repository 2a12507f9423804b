/** Secrets of the type kubernetes.io/service-account-token: filled, accepted, and gone with their account. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { secret, serviceAccount, type Secret } from "@knarr/api"
import { startControlPlane } from "knarr/testing"

const type = "kubernetes.io/service-account-token"
const annotation = "kubernetes.io/service-account.name"
const uidAnnotation = "kubernetes.io/service-account.uid"
const label = "kubernetes.io/legacy-token-last-used"
const namespace = "default"

test("a token's Secret is filled, authenticates its account, says when, and goes with it", async () => {
  await using cluster = await startControlPlane({ seed: 5 })
  const { client, informers, plane } = cluster
  const clock = cluster.clock!
  const secrets = informers.informer(secret)
  const limit = { limitMs: 60_000, what: "the controller" }
  const get = (name: string): Secret | undefined => secrets.get({ namespace, name })
  const account = await client.create(serviceAccount, { metadata: { namespace, name: "robot" } })
  const create = (name: string, of: string, annotations = {}): Promise<Secret> =>
    client.create(secret, {
      metadata: { namespace, name, annotations: { [annotation]: of, ...annotations } },
      type,
      data: {},
    })
  await create("key", "robot")
  await create("of-another-life", "robot", { [uidAnnotation]: "another" })
  await create("of-nobody", "nobody")
  await clock.runUntil(() => Boolean(get("key")?.data?.["token"]), limit)
  const filled = get("key")!
  const text = (key: string): string => Buffer.from(filled.data![key]!, "base64").toString()
  assert.equal(text("namespace"), namespace)
  assert.deepEqual(filled.metadata.annotations, {
    [annotation]: "robot",
    [uidAnnotation]: account.metadata.uid,
  })
  const token = text("token")
  assert.deepEqual(JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()), {
    iss: "kubernetes/serviceaccount",
    "kubernetes.io/serviceaccount/namespace": namespace,
    "kubernetes.io/serviceaccount/secret.name": "key",
    "kubernetes.io/serviceaccount/service-account.name": "robot",
    "kubernetes.io/serviceaccount/service-account.uid": account.metadata.uid,
    sub: "system:serviceaccount:default:robot",
  })
  await clock.runUntil(() => !get("of-another-life") && !get("of-nobody"), limit)

  const { authenticator } = plane
  const ask = (bearer: string): ReturnType<typeof authenticator.authenticateToken> =>
    authenticator.authenticateToken(bearer, authenticator.audiences, {})
  assert.deepEqual(await ask(token), {
    user: {
      name: "system:serviceaccount:default:robot",
      uid: account.metadata.uid,
      groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
    },
    audiences: authenticator.audiences,
  })
  const today = new Date(clock.now()).toISOString().slice(0, 10)
  await clock.runUntil(() => get("key")?.metadata.labels?.[label] === today, limit)
  assert.ok("error" in (await authenticator.authenticateToken(token, ["other"], {})))
  // Signed by the cluster, and still not the token that a Secret holds.
  const claims = JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as Record<
    string,
    string
  >
  for (const name of Object.keys(claims).filter((key) => key !== "iss")) {
    const forged = plane.signer.sign({ ...claims, [name]: "" })
    assert.deepEqual(await ask(forged), { error: "invalid bearer token" }, name)
  }
  const copy = plane.signer.sign({ ...claims, more: "" })
  assert.deepEqual(await ask(copy), { error: "Token does not match server's copy" })

  const set = async (change: object): Promise<void> => {
    const { metadata } = await client.patch(secret, { namespace, name: "key" }, "merge", change)
    await clock.runUntil(() => get("key")?.metadata.resourceVersion === metadata.resourceVersion, limit)
  }
  await set({ metadata: { labels: { "kubernetes.io/legacy-token-invalid-since": today } } })
  assert.match(JSON.stringify(ask(token)), /has been marked invalid/)
  await set({ metadata: { labels: { "kubernetes.io/legacy-token-invalid-since": null } } })
  assert.ok("user" in (await ask(token)))

  await client.delete(serviceAccount, { namespace, name: "robot" })
  assert.ok("error" in (await ask(token)))
  await clock.runUntil(() => get("key") === undefined, limit)
  assert.deepEqual(await ask(token), { error: "Token has been invalidated" })
})
