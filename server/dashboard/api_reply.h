// The coordinator's answers as JSON, by protobuf's own rules: 64-bit integers are strings, bytes
// are base64, fields keep their names, and what is zero is there.
#ifndef CAIRN_SERVER_DASHBOARD_API_REPLY_H_
#define CAIRN_SERVER_DASHBOARD_API_REPLY_H_

#include <string>

#include <absl/status/statusor.h>
#include <google/protobuf/message.h>

namespace cairn {

struct ApiReply {
  int code = 200;  // of HTTP
  std::string json;
};

// `reply`: a serialized message of empty's type, or why there is none.
ApiReply ApiReplyOf(const absl::StatusOr<std::string>& reply, google::protobuf::Message& empty);
ApiReply ApiError(const absl::Status& status);

}  // namespace cairn

#endif  // CAIRN_SERVER_DASHBOARD_API_REPLY_H_
