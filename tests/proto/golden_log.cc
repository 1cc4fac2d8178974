#include "tests/proto/golden_log.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hex.h"

namespace cairn {
namespace {

std::string Content(const std::string& file_name) {
  std::ifstream file(std::string(CAIRN_GOLDEN_LOGS) + "/" + file_name, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << file_name;
  return {std::istreambuf_iterator<char>(file), {}};
}

template <typename Integer>
Integer Take(const std::string& packed, size_t& at) {
  LittleEndian<Integer> value;
  EXPECT_LE(at + sizeof(value), packed.size());
  std::memcpy(&value, packed.data() + at, sizeof(value));
  at += sizeof(value);
  return value;
}

std::vector<std::byte> ImageOf(const std::string& packed) {
  size_t at = 0;
  std::vector<std::byte> image(Take<uint64_t>(packed, at));
  while (at < packed.size()) {
    const auto offset = Take<uint64_t>(packed, at);
    const auto length = Take<uint32_t>(packed, at);
    std::memcpy(image.data() + offset, packed.data() + at, length);
    at += length;
  }
  return image;
}

template <typename Id>
Id IdOf(const nlohmann::json& hex) {
  Id id;
  EXPECT_TRUE(HexDecode(hex.get<std::string>(), absl::MakeSpan(id.bytes)).ok());
  return id;
}

GoldenRecord RecordOf(const nlohmann::json& found) {
  GoldenRecord record;
  record.segment = found["segment"];
  record.generation = found["generation"];
  record.reads = found["reads"];
  record.entry.key = IdOf<BlockKey>(found["key"]);
  record.entry.ns = IdOf<NamespaceId>(found["namespace"]);
  record.entry.checksum = IdOf<Checksum>(found["checksum"]);
  record.entry.parent = IdOf<BlockKey>(found["parent"]);
  record.entry.tenant = found["tenant"].get<uint32_t>();
  record.entry.length = found["length"].get<uint32_t>();
  record.entry.position = found["position"].get<uint32_t>();
  record.entry.sector = found["sector"].get<uint32_t>();
  record.entry.cipher = found["cipher"].get<uint16_t>();
  record.entry.hints = found["hints"].get<uint16_t>();
  return record;
}

}  // namespace

GoldenLog LoadGoldenLog(const std::string& name) {
  const nlohmann::json found = nlohmann::json::parse(Content(name + ".json"));
  GoldenLog log;
  log.image = ImageOf(Content(name + ".extents"));
  log.node = IdOf<NodeId>(found["node"]);
  log.log = IdOf<log_format::LogId>(found["log"]);
  log.node_key_hex = found["node_key"];
  log.segments = found["segments"];
  log.segment_bytes = found["segment_bytes"];
  log.incarnation = found["incarnation"];
  for (const nlohmann::json& record : found["records"]) log.records.push_back(RecordOf(record));
  const nlohmann::json& counters = found["counters"];
  log.segments_sealed = counters["segments_sealed"];
  log.segments_scanned = counters["segments_scanned"];
  log.footers_damaged = counters["footers_damaged"];
  log.tails_torn = counters["tails_torn"];
  log.records_damaged = counters["records_damaged"];
  return log;
}

std::vector<std::byte> GoldenPayload(const log_format::Entry& entry) {
  std::vector<std::byte> payload(entry.length);
  const auto first = static_cast<size_t>(entry.key.bytes[0]);
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<std::byte>(131 * i + i / 256 + first);
  }
  return payload;
}

}  // namespace cairn
