export { type Dns, type DnsOptions, startDns } from "./dns-server.ts"
export { ClusterZone, type ClusterZoneOptions, type ZoneAnswer, type ZoneRecord } from "./cluster-zone.ts"
