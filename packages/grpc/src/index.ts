export {
  type GrpcCallOptions,
  type GrpcClient,
  type GrpcDuplex,
  type GrpcServer,
  type GrpcStream,
  createGrpcClient,
} from "./grpc-client.ts"
export { GrpcError, grpcCodeName, grpcCodes } from "./grpc-status.ts"
export { decodeGrpcMessage, FrameReader, frameMessage } from "./grpc-frames.ts"
export { type Codec, createCodec, type MessageInit } from "./protobuf-codec.ts"
