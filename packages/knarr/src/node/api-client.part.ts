/** How a node speaks to its cluster: over HTTPS, with its own certificates. */
import type { KeyPair } from "@knarr/base"
import {
  createEventRecorder,
  createInformerFactory,
  createRestClient,
  createTransport,
  renewed,
  type Client,
  type EventRecorder,
  type InformerFactory,
  type Transport,
} from "@knarr/client"
import { addressesOf } from "../cluster-home.ts"
import { readNodePki, type NodePki } from "../pki.ts"
import { untilServes } from "../until-serves.ts"
import { defineNodePart } from "./node-part.ts"

export interface ApiClient {
  /** Acts as the node. */
  readonly client: Client
  /** Of the node's network parts, which read services, slices and all nodes. */
  readonly informers: InformerFactory
  /** Of what the node may see: its own pods. */
  readonly nodeInformers: InformerFactory
  /** Events by the node, of what is not a kubelet's. */
  readonly events: EventRecorder
}

export const apiClient = defineNodePart<ApiClient>({
  name: "api-client",
  needs: [],
  async start(env, { cluster, config, local }, { scope }) {
    const currentPki = renewed(env.clock, () =>
      readNodePki(cluster.nodePki(local.node), cluster.caCertificate),
    )
    const connect = (identity: (pki: NodePki) => KeyPair): Transport =>
      scope.use(
        createTransport({
          server: `https://${addressesOf(config).hostAddress}:${config.port}`,
          env,
          tls() {
            const pki = currentPki()
            return { ca: pki.ca, ...identity(pki) }
          },
          headers: () => ({ "user-agent": "knarr-agent" }),
        }),
      )
    const transport = connect(({ kubelet }) => kubelet)
    await untilServes(transport, env, scope.signal)
    const client = createRestClient({ transport, env })
    const proxyClient = createRestClient({ transport: connect(({ proxy }) => proxy), env })
    return {
      provides: {
        client,
        informers: createInformerFactory({
          client: proxyClient,
          scope: scope.child("informers"),
          env,
          streamsInitial: true,
        }),
        nodeInformers: createInformerFactory({
          client,
          scope: scope.child("node informers"),
          env,
          streamsInitial: true,
        }),
        events: createEventRecorder({ client, scope, env, component: "knarr-agent", host: local.node }),
      },
    }
  },
})
