/** `knarr/client`: the typed client, informers, work queues and kubeconfig files. */
export * from "@knarr/client"
