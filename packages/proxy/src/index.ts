export { type ServiceProxyOptions, removeServiceProxy, runNft, startServiceProxy } from "./service-proxy.ts"
export {
  type HostPort,
  type ProxyInput,
  type ProxyState,
  type ServicePort,
  type Target,
  computeProxyState,
} from "./service-map.ts"
export { type Ruleset, type RulesetOptions, computeRuleset, fullText, updateText } from "./ruleset.ts"
