export { type ServiceProxyOptions, removeServiceProxy, startServiceProxy } from "./service-proxy.ts"
export { runNft } from "./nft.ts"
export type { Target } from "./endpoints.ts"
export type { HostPort } from "./host-ports.ts"
export {
  type HealthCheck,
  type ProxyInput,
  type ProxyState,
  type Refused,
  type ServicePort,
  computeProxyState,
} from "./service-map.ts"
export type { Owner } from "./owner.ts"
export { type Ruleset, type RulesetOptions, computeRuleset, fullText, updateText } from "./ruleset.ts"
