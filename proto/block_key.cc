#include "proto/block_key.h"

#include <openssl/evp.h>

#include <algorithm>
#include <string>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/handle.h"
#include "namespace.pb.h"
#include "proto/little_endian.h"

namespace cairn {
namespace {

constexpr size_t kSha256Bytes = 32;
constexpr size_t kSha256BlockBytes = 64;
constexpr size_t kBlockHashBytesMax = 64;

using DigestContext = Handle<EVP_MD_CTX*, EVP_MD_CTX_free>;

// The canonical form: each field as its number, its length and its bytes, so that no two
// namespaces share an encoding.
class CanonicalForm {
 public:
  void Text(uint16_t field, const std::string& value) { Bytes(field, value.data(), value.size()); }
  void Number(uint16_t field, uint32_t value) {
    const U32Le encoded = value;
    Bytes(field, &encoded, sizeof(encoded));
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Bytes(uint16_t field, const void* data, size_t size) {
    const U16Le number = field;
    const U32Le length = static_cast<uint32_t>(size);
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof(number));
    bytes_.append(reinterpret_cast<const char*>(&length), sizeof(length));
    bytes_.append(static_cast<const char*>(data), size);
  }
  std::string bytes_ = "cairn.v1.namespace";
};

absl::Status Invalid(const char* field, const std::string& value, const char* remedy) {
  return absl::InvalidArgumentError(
      absl::StrCat("namespace.", field, ": ", value, "; it must be ", remedy));
}

absl::Status CheckText(const char* field, const std::string& value) {
  if (value.empty() || value.size() > 256) {
    return Invalid(field, absl::StrCat(value.size(), " bytes"), "1 to 256 bytes of text");
  }
  return absl::OkStatus();
}

absl::Status CheckNamespace(const v1::Namespace& ns) {
  for (const auto& [field, value] :
       {std::pair{"model", &ns.model()}, std::pair{"kv_dtype", &ns.kv_dtype()},
        std::pair{"layout", &ns.layout()}, std::pair{"hash_scheme", &ns.hash_scheme()}}) {
    if (absl::Status status = CheckText(field, *value); !status.ok()) return status;
  }
  if (ns.model_digest().size() != kSha256Bytes) {
    return Invalid("model_digest", absl::StrCat(ns.model_digest().size(), " bytes"), "32 bytes");
  }
  if (!ns.adapter_digest().empty() && ns.adapter_digest().size() != kSha256Bytes) {
    return Invalid("adapter_digest", absl::StrCat(ns.adapter_digest().size(), " bytes"),
                   "empty or 32 bytes");
  }
  if (ns.block_bytes() < kBlockBytesMin || ns.block_bytes() > kBlockBytesMax) {
    return Invalid("block_bytes", absl::StrCat(ns.block_bytes()), "4096 to 67108864");
  }
  if (ns.tokens_per_block() == 0) return Invalid("tokens_per_block", "0", "at least 1");
  if (ns.tensor_parallel_rank() >= std::max(1u, ns.tensor_parallel_size())) {
    return Invalid("tensor_parallel_rank", absl::StrCat(ns.tensor_parallel_rank()),
                   "below tensor_parallel_size");
  }
  if (ns.pipeline_rank() >= std::max(1u, ns.pipeline_size())) {
    return Invalid("pipeline_rank", absl::StrCat(ns.pipeline_rank()), "below pipeline_size");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NamespaceId> MakeNamespaceId(const v1::Namespace& ns) {
  if (absl::Status status = CheckNamespace(ns); !status.ok()) return status;
  CanonicalForm form;
  form.Text(1, ns.model());
  form.Text(2, ns.model_digest());
  form.Text(3, ns.adapter_digest());
  form.Text(4, ns.kv_dtype());
  form.Text(5, ns.layout());
  form.Number(6, ns.layers());
  form.Number(7, ns.kv_heads());
  form.Number(8, ns.head_size());
  form.Number(9, ns.tokens_per_block());
  form.Number(10, ns.tensor_parallel_rank());
  form.Number(11, std::max(1u, ns.tensor_parallel_size()));
  form.Number(12, ns.pipeline_rank());
  form.Number(13, std::max(1u, ns.pipeline_size()));
  form.Number(14, ns.cache_group());
  form.Text(15, ns.hash_scheme());
  form.Number(16, ns.block_bytes());
  unsigned char digest[kSha256Bytes];
  CAIRN_CHECK(EVP_Digest(form.bytes().data(), form.bytes().size(), digest, nullptr, EVP_sha256(),
                         nullptr) == 1);
  NamespaceId id;
  std::memcpy(id.bytes.data(), digest, id.bytes.size());
  return id;
}

// HMAC by its definition (RFC 2104) over two digests whose keyed first block is computed once.
struct BlockKeyMaker::State {
  DigestContext inner;
  DigestContext outer;
  DigestContext scratch;
};

BlockKeyMaker::BlockKeyMaker(const TenantSecret& secret, const NamespaceId& ns)
    : state_(std::make_unique<State>()) {
  static_assert(sizeof(TenantSecret) <= kSha256BlockBytes);
  state_->inner.Reset(EVP_MD_CTX_new());
  state_->outer.Reset(EVP_MD_CTX_new());
  state_->scratch.Reset(EVP_MD_CTX_new());
  CAIRN_CHECK(state_->inner && state_->outer && state_->scratch);
  for (const auto& [context, mask] :
       {std::pair{state_->inner.get(), 0x36}, std::pair{state_->outer.get(), 0x5c}}) {
    unsigned char pad[kSha256BlockBytes];
    for (size_t i = 0; i < sizeof(pad); ++i) {
      const int key = i < secret.size() ? static_cast<int>(secret[i]) : 0;
      pad[i] = static_cast<unsigned char>(key ^ mask);
    }
    CAIRN_CHECK(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
    CAIRN_CHECK(EVP_DigestUpdate(context, pad, sizeof(pad)) == 1);
  }
  // The fixed part of every message: domain and namespace.
  static constexpr char kDomain[] = "cairn.v1.block";
  CAIRN_CHECK(EVP_DigestUpdate(state_->inner.get(), kDomain, sizeof(kDomain) - 1) == 1);
  CAIRN_CHECK(EVP_DigestUpdate(state_->inner.get(), ns.bytes.data(), ns.bytes.size()) == 1);
}

BlockKeyMaker::~BlockKeyMaker() = default;
BlockKeyMaker::BlockKeyMaker(BlockKeyMaker&&) noexcept = default;
BlockKeyMaker& BlockKeyMaker::operator=(BlockKeyMaker&&) noexcept = default;

BlockKey BlockKeyMaker::Make(absl::Span<const std::byte> block_hash) const {
  CAIRN_CHECK(!block_hash.empty() && block_hash.size() <= kBlockHashBytesMax);
  const auto length = static_cast<unsigned char>(block_hash.size());
  unsigned char digest[kSha256Bytes];
  EVP_MD_CTX* scratch = state_->scratch.get();
  CAIRN_CHECK(EVP_MD_CTX_copy_ex(scratch, state_->inner.get()) == 1);
  CAIRN_CHECK(EVP_DigestUpdate(scratch, &length, 1) == 1);
  CAIRN_CHECK(EVP_DigestUpdate(scratch, block_hash.data(), block_hash.size()) == 1);
  CAIRN_CHECK(EVP_DigestFinal_ex(scratch, digest, nullptr) == 1);
  CAIRN_CHECK(EVP_MD_CTX_copy_ex(scratch, state_->outer.get()) == 1);
  CAIRN_CHECK(EVP_DigestUpdate(scratch, digest, sizeof(digest)) == 1);
  CAIRN_CHECK(EVP_DigestFinal_ex(scratch, digest, nullptr) == 1);
  BlockKey key;
  std::memcpy(key.bytes.data(), digest, key.bytes.size());
  return key;
}

}  // namespace cairn
