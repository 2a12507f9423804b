/** Samples. Networks and endpoints. */
import type { Entries } from "./entry.ts"

export const networkObjects: Entries = {
  "discovery.k8s.io/v1 EndpointSlice": {
    minimal: { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }], ports: [{ port: 80 }] },
    rich: {
      addressType: "IPv4",
      endpoints: [
        {
          addresses: ["10.0.0.1"],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: "h",
          nodeName: "n",
          zone: "z",
          targetRef: { kind: "Pod", name: "p", namespace: "n" },
          hints: { forZones: [{ name: "z" }] },
        },
      ],
      ports: [{ name: "web", port: 80, protocol: "TCP", appProtocol: "http" }],
    },
  },
  "networking.k8s.io/v1 Ingress": {
    minimal: { spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } } },
    rich: {
      spec: {
        ingressClassName: "c",
        defaultBackend: { service: { name: "s", port: { name: "web" } } },
        tls: [{ hosts: ["a.b"], secretName: "t" }],
        rules: [
          {
            host: "a.b",
            http: {
              paths: [
                { path: "/", pathType: "Prefix", backend: { service: { name: "s", port: { number: 80 } } } },
                {
                  path: "/x",
                  pathType: "Exact",
                  backend: { resource: { apiGroup: "g.h", kind: "K", name: "n" } },
                },
              ],
            },
          },
        ],
      },
    },
  },
  "networking.k8s.io/v1 IngressClass": {
    minimal: { spec: { controller: "a.b/c" } },
    rich: {
      spec: {
        controller: "a.b/c",
        parameters: { kind: "K", name: "n", apiGroup: "g.h", scope: "Namespace", namespace: "x" },
      },
    },
  },
  "networking.k8s.io/v1 IPAddress": {
    name: "192.0.2.77",
    minimal: { spec: { parentRef: { resource: "services", namespace: "n", name: "s" } } },
    rich: { spec: { parentRef: { group: "g.h", resource: "things", namespace: "n", name: "s" } } },
  },
  "networking.k8s.io/v1 NetworkPolicy": {
    minimal: { spec: { podSelector: {} } },
    rich: {
      spec: {
        podSelector: { matchLabels: { a: "b" } },
        policyTypes: ["Ingress", "Egress"],
        ingress: [
          {
            from: [
              { ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } },
              { podSelector: { matchLabels: { a: "b" } }, namespaceSelector: {} },
            ],
            ports: [{ port: 80, endPort: 90, protocol: "TCP" }],
          },
        ],
        egress: [{ to: [{ namespaceSelector: { matchLabels: { a: "b" } } }], ports: [{ port: "web" }] }],
      },
    },
  },
  "networking.k8s.io/v1 ServiceCIDR": { minimal: { spec: { cidrs: ["192.0.2.0/28"] } } },
}
