export { systemEnv, virtualEnv, type VirtualEnv } from "./env.ts"
export { nodeOf, podOf } from "./objects.ts"
export { startTestPlane } from "./plane.ts"
export { TestEtcd, TestEtcdCluster } from "./test-etcd.ts"
