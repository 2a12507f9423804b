export { type ImageRegistry, type ImageRegistryOptions, startImageRegistry } from "./registry-server.ts"
export { type LoadOptions, type LoadResult, loadImageArchive } from "./image-archive.ts"
export { type ImageFile, type ImageSpec, buildImageArchive } from "./image-builder.ts"
