// Between gRPC's buffers and statuses and ours.
#ifndef CAIRN_SERVER_COORDINATOR_GRPC_BYTES_H_
#define CAIRN_SERVER_COORDINATOR_GRPC_BYTES_H_

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

namespace cairn {

inline grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

inline grpc::ByteBuffer ToByteBuffer(const std::string& bytes) {
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

inline std::string ToString(grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace cairn

#endif  // CAIRN_SERVER_COORDINATOR_GRPC_BYTES_H_
