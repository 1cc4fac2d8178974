// The vectors in tests/data/vectors/ were made by another implementation (cairn_format.py).

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "base/status.h"
#include "cairn/v1/namespace.pb.h"
#include "proto/block_key.h"
#include "proto/checksum.h"
#include "proto/credential.h"
#include "proto/inventory.h"
#include "proto/token.h"
#include "tests/proto/sample_messages.h"

namespace cairn {
namespace {

using ::testing::StartsWith;

nlohmann::json Vectors(const std::string& name) {
  std::ifstream file(std::string(CAIRN_TEST_VECTORS) + "/" + name + ".json");
  EXPECT_TRUE(file.is_open()) << name;
  return nlohmann::json::parse(file);
}

std::vector<std::byte> Bytes(const nlohmann::json& hex) {
  const auto text = hex.get<std::string>();
  std::vector<std::byte> bytes(text.size() / 2);
  EXPECT_EQ(HexDecode(text, absl::MakeSpan(bytes)), absl::OkStatus());
  return bytes;
}

// A fixed array or an id, whose bytes are `hex`.
template <typename T>
T Fixed(const nlohmann::json& hex) {
  T value;
  EXPECT_EQ(
      HexDecode(hex.get<std::string>(), {reinterpret_cast<std::byte*>(&value), sizeof(value)}),
      absl::OkStatus());
  return value;
}

v1::Namespace NamespaceOf(const nlohmann::json& fields) {
  v1::Namespace ns;
  const google::protobuf::Reflection* reflection = ns.GetReflection();
  for (const auto& [name, value] : fields.items()) {
    const auto* field = v1::Namespace::descriptor()->FindFieldByName(name);
    EXPECT_NE(field, nullptr) << name;
    if (field->type() == google::protobuf::FieldDescriptor::TYPE_BYTES) {
      const std::vector<std::byte> bytes = Bytes(value);
      reflection->SetString(&ns, field,
                            {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    } else if (value.is_string()) {
      reflection->SetString(&ns, field, value.get<std::string>());
    } else {
      reflection->SetUInt32(&ns, field, value.get<uint32_t>());
    }
  }
  return ns;
}

TEST(Vectors, NamespacesHaveTheirIds) {
  const nlohmann::json vectors = Vectors("namespaces");
  for (const nlohmann::json& vector : vectors["accepted"]) {
    const absl::StatusOr<NamespaceId> id = MakeNamespaceId(NamespaceOf(vector["fields"]));
    ASSERT_EQ(id.status(), absl::OkStatus()) << vector["name"];
    EXPECT_EQ(HexEncode(id->bytes), vector["id"].get<std::string>()) << vector["name"];
  }
}

TEST(Vectors, RefusedNamespacesNameTheirField) {
  const nlohmann::json vectors = Vectors("namespaces");
  for (const nlohmann::json& vector : vectors["refused"]) {
    const absl::Status status = MakeNamespaceId(NamespaceOf(vector["fields"])).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(Std(status.message())),
                StartsWith("namespace." + vector["error_field"].get<std::string>() + ":"));
  }
}

TEST(Vectors, BlockHashesHaveTheirKeys) {
  for (const nlohmann::json& vector : Vectors("block_keys")) {
    const BlockKeyMaker maker(Fixed<TenantSecret>(vector["secret"]),
                              Fixed<NamespaceId>(vector["namespace_id"]));
    EXPECT_EQ(HexEncode(maker.Make(Bytes(vector["block_hash"])).bytes),
              vector["key"].get<std::string>());
  }
}

TEST(Vectors, SecretsHaveTheirCredentials) {
  for (const nlohmann::json& vector : Vectors("credentials")) {
    EXPECT_EQ(HexEncode(MakeCredential(Fixed<TenantSecret>(vector["secret"]))),
              vector["credential"].get<std::string>());
  }
}

TEST(Vectors, PayloadsHaveTheirChecksums) {
  for (const nlohmann::json& vector : Vectors("checksums")) {
    std::vector<std::byte> payload(vector["payload_bytes"].get<size_t>());
    for (size_t i = 0; i < payload.size(); ++i) {
      payload[i] = static_cast<std::byte>(131 * i + i / 256);
    }
    const Checksum checksum = MakeChecksum(Fixed<BlockKey>(vector["key"]),
                                           Fixed<NamespaceId>(vector["namespace_id"]), payload);
    EXPECT_EQ(HexEncode(checksum.bytes), vector["checksum"].get<std::string>()) << payload.size();
  }
}

TEST(Vectors, TokenIsSignedAsTheOtherImplementationSigns) {
  const nlohmann::json vectors = Vectors("tokens");
  const absl::StatusOr<TokenSigner> signer = TokenSigner::FromSeed(Bytes(vectors["seed"]));
  ASSERT_EQ(signer.status(), absl::OkStatus());
  EXPECT_EQ(HexEncode(signer->public_key()), vectors["public_key"].get<std::string>());
  const nlohmann::json& claims = vectors["accepted"]["claims"];
  const TokenBytes token = signer->Sign({.tenant = claims["tenant"],
                                         .rights = claims["rights"],
                                         .not_before_unix_s = claims["not_before_unix_s"],
                                         .expiry_unix_s = claims["expiry_unix_s"],
                                         .client = Fixed<ClientId>(claims["client"]),
                                         .inflight_bytes_max = claims["inflight_bytes_max"]});
  EXPECT_EQ(HexEncode(token), vectors["accepted"]["token"].get<std::string>());
}

TEST(Vectors, TokensAreAcceptedOrRefusedForTheirReason) {
  const nlohmann::json vectors = Vectors("tokens");
  const PublicKey keys[] = {Fixed<PublicKey>(vectors["public_key"])};
  const int64_t now_unix_s = vectors["now_unix_s"];
  EXPECT_EQ(VerifyToken(Bytes(vectors["accepted"]["token"]), keys, now_unix_s).status(),
            absl::OkStatus());
  for (const nlohmann::json& vector : vectors["refused"]) {
    const absl::Status status = VerifyToken(Bytes(vector["token"]), keys, now_unix_s).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << vector["why"];
    // "malformed (reserved)": the words before the parenthesis stand in the message.
    const auto why = vector["why"].get<std::string>();
    EXPECT_THAT(std::string(Std(status.message())),
                ::testing::HasSubstr(why.substr(0, why.find(" ("))));
  }
}

TEST(Vectors, PositionsHaveTheirRuns) {
  for (const nlohmann::json& vector : Vectors("runs")) {
    EXPECT_EQ(RunStart(vector["position"]), vector["run_start"].get<uint32_t>())
        << vector["position"];
  }
}

TEST(Vectors, EveryMessageHasItsBytes) {
  const nlohmann::json vectors = Vectors("messages");
  const std::vector<SampleMessage> samples = SampleMessages();
  EXPECT_EQ(vectors.size(), samples.size());
  for (const SampleMessage& sample : samples) {
    ASSERT_TRUE(vectors.contains(sample.name)) << sample.name;
    EXPECT_EQ(HexEncode(sample.bytes), vectors[sample.name].get<std::string>()) << sample.name;
  }
}

TEST(Vectors, InventoryHasItsBytes) {
  const nlohmann::json vectors = Vectors("inventory");
  const std::vector<std::byte> bytes = Bytes(vectors["bytes"]);
  const auto changes = DecodeInventory({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ASSERT_EQ(changes.status(), absl::OkStatus());
  ASSERT_EQ(changes->size(), vectors["changes"].size());
  for (size_t i = 0; i < changes->size(); ++i) {
    const nlohmann::json& expected = vectors["changes"][i];
    EXPECT_EQ(HexEncode((*changes)[i].key.bytes), expected["key"].get<std::string>());
    EXPECT_EQ((*changes)[i].tenant, expected["tenant"].get<uint32_t>());
    EXPECT_EQ((*changes)[i].reactor, expected["reactor"].get<uint16_t>());
    EXPECT_EQ((*changes)[i].change, expected["change"].get<uint16_t>());
  }
}

}  // namespace
}  // namespace cairn
