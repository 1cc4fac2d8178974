#include "server/cli/replay/trace.h"

#include <fstream>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

namespace cairn {
namespace {

using Json = nlohmann::json;

absl::StatusOr<TraceRequest> ParseLine(const std::string& line) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("not a JSON object");
  for (const char* field : {"timestamp", "input_length"}) {
    if (!object.contains(field) || !object[field].is_number_unsigned()) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": must be a whole number"));
    }
  }
  TraceRequest request;
  request.timestamp_ms = object["timestamp"].get<int64_t>();
  request.input_tokens = object["input_length"].get<uint64_t>();
  if (!object.contains("hash_ids") || !object["hash_ids"].is_array()) {
    return absl::InvalidArgumentError("hash_ids: must be a list of whole numbers");
  }
  for (const Json& id : object["hash_ids"]) {
    if (!id.is_number_unsigned()) {
      return absl::InvalidArgumentError("hash_ids: must be a list of whole numbers");
    }
    request.block_ids.push_back(id.get<uint64_t>());
  }
  if (request.block_ids.size() > kTraceBlocksMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("hash_ids: ", request.block_ids.size(), " blocks; at most ", kTraceBlocksMax));
  }
  return request;
}

}  // namespace

absl::StatusOr<std::vector<TraceRequest>> ReadTrace(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat("trace: ", path, " cannot be opened; is it there?"));
  }
  std::vector<TraceRequest> requests;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    absl::StatusOr<TraceRequest> request = ParseLine(line);
    if (!request.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": ", request.status().message()));
    }
    requests.push_back(*std::move(request));
  }
  if (requests.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": no requests"));
  return requests;
}

}  // namespace cairn
