#include "proto/block_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/status.h"
#include "cairn/v1/namespace.pb.h"
#include "proto/credential.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

v1::Namespace Llama() {
  v1::Namespace ns;
  ns.set_model("meta-llama/Llama-3.1-8B");
  ns.set_model_digest(std::string(32, 'd'));
  ns.set_adapter_digest(std::string(32, 'a'));
  ns.set_kv_dtype("bf16");
  ns.set_layout("L2NHD");
  ns.set_layers(32);
  ns.set_kv_heads(8);
  ns.set_head_size(128);
  ns.set_tokens_per_block(16);
  ns.set_tensor_parallel_rank(1);
  ns.set_tensor_parallel_size(4);
  ns.set_pipeline_rank(1);
  ns.set_pipeline_size(2);
  ns.set_cache_group(1);
  ns.set_hash_scheme("vllm.sha256_cbor");
  ns.set_block_bytes(2u << 20);
  return ns;
}

NamespaceId IdOf(const v1::Namespace& ns) {
  const absl::StatusOr<NamespaceId> id = MakeNamespaceId(ns);
  EXPECT_EQ(id.status(), absl::OkStatus());
  return id.ok() ? *id : NamespaceId{};
}

// RFC 2104 by OpenSSL over the message that FORMAT.md describes.
BlockKey ReferenceKey(const TenantSecret& secret, const NamespaceId& ns,
                      const std::vector<std::byte>& block_hash) {
  std::string message = "cairn.v1.block";
  message.append(reinterpret_cast<const char*>(ns.bytes.data()), ns.bytes.size());
  message.resize(64);
  message.push_back(static_cast<char>(block_hash.size()));
  message.append(reinterpret_cast<const char*>(block_hash.data()), block_hash.size());
  unsigned char digest[EVP_MAX_MD_SIZE];
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest, nullptr);
  BlockKey key;
  std::memcpy(key.bytes.data(), digest, key.bytes.size());
  return key;
}

TEST(NamespaceId, DiffersWhenAnyFieldDiffers) {
  std::set<NamespaceId> ids = {IdOf(Llama())};
  const google::protobuf::Descriptor* descriptor = v1::Namespace::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    v1::Namespace changed = Llama();
    const google::protobuf::FieldDescriptor* field = descriptor->field(i);
    const google::protobuf::Reflection* reflection = changed.GetReflection();
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
      std::string value = reflection->GetString(changed, field);
      value.back() = 'z';
      reflection->SetString(&changed, field, value);
    } else {
      // Ranks stay below their sizes, block_bytes within its range.
      const bool is_rank = field->name().find("_rank") != std::string::npos;
      const uint32_t value = reflection->GetUInt32(changed, field);
      reflection->SetUInt32(&changed, field, is_rank ? value - 1 : value + 1);
    }
    EXPECT_TRUE(ids.insert(IdOf(changed)).second) << field->name();
  }
  EXPECT_EQ(ids.size(), 17u);
}

TEST(NamespaceId, DoesNotDependOnProtobufsEncoding) {
  const v1::Namespace ns = Llama();
  v1::Namespace sizes_last;
  sizes_last.set_pipeline_size(ns.pipeline_size());
  const std::string reordered = sizes_last.SerializeAsString() + ns.SerializeAsString();
  v1::Namespace parsed;
  ASSERT_TRUE(parsed.ParseFromString(reordered));
  EXPECT_EQ(IdOf(parsed), IdOf(ns));
}

TEST(NamespaceId, TakesAnUnsetSizeForOne) {
  v1::Namespace unset = Llama();
  unset.clear_tensor_parallel_rank();
  unset.clear_tensor_parallel_size();
  v1::Namespace one = unset;
  one.set_tensor_parallel_size(1);
  EXPECT_EQ(IdOf(unset), IdOf(one));
}

TEST(NamespaceId, RefusesAFieldOfTheFuture) {
  v1::Namespace ns = Llama();
  ns.GetReflection()->MutableUnknownFields(&ns)->AddVarint(17, 1);
  const absl::Status status = MakeNamespaceId(ns).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Std(status.message())), HasSubstr("unknown field"));
}

class BlockKeyMakerTest : public testing::Test {
 protected:
  BlockKeyMakerTest() {
    random_.Fill(absl::MakeSpan(secret_));
    random_.Fill(absl::MakeSpan(ns_.bytes));
  }

  std::vector<std::byte> Hash(size_t bytes) {
    std::vector<std::byte> hash(bytes);
    random_.Fill(absl::MakeSpan(hash));
    return hash;
  }

  SeededRandom random_{20};
  TenantSecret secret_;
  NamespaceId ns_;
};

TEST_F(BlockKeyMakerTest, IsHmacSha256ForEveryLengthOfHash) {
  const BlockKeyMaker maker(secret_, ns_);
  for (size_t bytes = 1; bytes <= kBlockHashBytesMax; ++bytes) {
    const std::vector<std::byte> hash = Hash(bytes);
    EXPECT_EQ(maker.Make(hash), ReferenceKey(secret_, ns_, hash)) << bytes;
  }
}

TEST_F(BlockKeyMakerTest, MakingAKeyLeavesTheMakerAsItWas) {
  const BlockKeyMaker maker(secret_, ns_);
  const std::vector<std::byte> hash = Hash(32);
  const BlockKey first = maker.Make(hash);
  EXPECT_NE(maker.Make(Hash(32)), first);
  EXPECT_EQ(maker.Make(hash), first);
}

TEST_F(BlockKeyMakerTest, SeparatesTenantsNamespacesAndHashes) {
  const std::vector<std::byte> hash = Hash(32);
  std::vector<std::byte> longer = hash;
  longer.push_back(std::byte{0});
  TenantSecret other_secret = secret_;
  other_secret[31] ^= std::byte{1};
  NamespaceId other_ns = ns_;
  other_ns.bytes[0] ^= std::byte{1};
  const std::set<BlockKey> keys = {
      BlockKeyMaker(secret_, ns_).Make(hash), BlockKeyMaker(other_secret, ns_).Make(hash),
      BlockKeyMaker(secret_, other_ns).Make(hash), BlockKeyMaker(secret_, ns_).Make(longer)};
  EXPECT_EQ(keys.size(), 4u);
}

TEST_F(BlockKeyMakerTest, MovesWithItsState) {
  BlockKeyMaker maker(secret_, ns_);
  const std::vector<std::byte> hash = Hash(32);
  const BlockKey key = maker.Make(hash);
  BlockKeyMaker moved(std::move(maker));
  EXPECT_EQ(moved.Make(hash), key);
  BlockKeyMaker assigned(TenantSecret{}, NamespaceId{});
  assigned = std::move(moved);
  EXPECT_EQ(assigned.Make(hash), key);
}

TEST_F(BlockKeyMakerTest, RefusesAHashOfNoneOrTooManyBytes) {
  const BlockKeyMaker maker(secret_, ns_);
  EXPECT_DEATH(maker.Make({}), "block_hash");
  EXPECT_DEATH(maker.Make(Hash(kBlockHashBytesMax + 1)), "block_hash");
}

TEST(Credential, FitsItsOwnSecretAlone) {
  const TenantSecret secret{std::byte{1}};
  const Credential credential = MakeCredential(secret);
  std::string presented(reinterpret_cast<const char*>(credential.data()), credential.size());
  EXPECT_TRUE(CredentialFits(secret, presented));
  EXPECT_FALSE(CredentialFits(TenantSecret{}, presented));
  for (char& byte : presented) {
    byte ^= 1;
    EXPECT_FALSE(CredentialFits(secret, presented));
    byte ^= 1;
  }
  EXPECT_FALSE(CredentialFits(secret, ""));
  EXPECT_FALSE(CredentialFits(secret, presented.substr(1)));
  EXPECT_FALSE(CredentialFits(secret, presented + "x"));
}

}  // namespace
}  // namespace cairn
