#include "server/dashboard/api_reply.h"

#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

int HttpCodeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
      return 503;
    default:
      return 500;
  }
}

}  // namespace

ApiReply ApiError(const absl::Status& status) {
  const nlohmann::json error = {{"code", absl::StatusCodeToString(status.code())},
                                {"message", std::string(status.message())}};
  return {HttpCodeOf(status.code()), nlohmann::json{{"error", error}}.dump(
                                         -1, ' ', true, nlohmann::json::error_handler_t::replace)};
}

ApiReply ApiReplyOf(const absl::StatusOr<std::string>& reply, google::protobuf::Message& empty) {
  if (!reply.ok()) return ApiError(reply.status());
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  ApiReply json;
  if (!empty.ParseFromString(*reply) ||
      !google::protobuf::util::MessageToJsonString(empty, &json.json, options).ok()) {
    return ApiError(absl::InternalError("the coordinator's answer cannot be read"));
  }
  return json;
}

}  // namespace cairn
