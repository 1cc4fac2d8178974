#include "proto/block_key.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include <absl/strings/str_cat.h>

#include "base/check.h"
#include "base/status.h"
#include "cairn/v1/namespace.pb.h"
#include "proto/little_endian.h"

namespace cairn {
namespace {

constexpr size_t kSha256Bytes = 32;
constexpr size_t kTextBytesMax = 256;  // a name or a fingerprint, never a document

// Numbers are taken once and in order, so that no two namespaces share a canonical form.
class CanonicalForm {
 public:
  void Append(uint16_t field, const std::string& value) {
    Append(field, value.data(), value.size());
  }
  void Append(uint16_t field, uint32_t value) {
    const U32Le encoded = value;
    Append(field, &encoded, sizeof(encoded));
  }
  NamespaceId Hash() const {
    unsigned char digest[kSha256Bytes];
    CAIRN_CHECK(EVP_Digest(bytes_.data(), bytes_.size(), digest, nullptr, EVP_sha256(), nullptr) ==
                1);
    NamespaceId id;
    std::memcpy(id.bytes.data(), digest, id.bytes.size());
    return id;
  }

 private:
  void Append(uint16_t field, const void* data, size_t size) {
    const U16Le number = field;
    const U32Le length = static_cast<uint32_t>(size);
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof(number));
    bytes_.append(reinterpret_cast<const char*>(&length), sizeof(length));
    bytes_.append(static_cast<const char*>(data), size);
  }

  std::string bytes_ = "cairn.v1.namespace";
};

absl::Status Invalid(absl::string_view field, absl::string_view value, absl::string_view wanted) {
  return absl::InvalidArgumentError(
      absl::StrCat("namespace.", field, ": ", value, "; it must be ", wanted));
}

// Control characters would let a name forge lines in logs and metrics.
absl::Status CheckText(absl::string_view field, const std::string& value) {
  if (value.empty() || value.size() > kTextBytesMax) {
    return Invalid(field, absl::StrCat(value.size(), " bytes"), "1 to 256 bytes of text");
  }
  for (const char character : value) {
    const auto code = static_cast<unsigned char>(character);
    if (code < 0x20 || code == 0x7f) {
      return Invalid(field, absl::StrCat("control character ", code), "printable text");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckDigest(absl::string_view field, const std::string& value) {
  if (value.size() == kSha256Bytes) return absl::OkStatus();
  return Invalid(field, absl::StrCat(value.size(), " bytes"), "32 bytes");
}

absl::Status CheckNumber(absl::string_view field, uint32_t value, uint32_t min, uint32_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Invalid(field, absl::StrCat(value), absl::StrCat(min, " to ", max));
}

uint32_t RankCount(uint32_t declared) { return std::max(1u, declared); }

absl::Status CheckNamespace(const v1::Namespace& ns) {
  // A field that we do not know may decide whether bytes are interchangeable.
  if (!ns.GetReflection()->GetUnknownFields(ns).empty()) {
    return Invalid("(unknown field)", "present", "absent; the sender is newer than this program");
  }
  CAIRN_RETURN_IF_ERROR(CheckText("model", ns.model()));
  CAIRN_RETURN_IF_ERROR(CheckDigest("model_digest", ns.model_digest()));
  if (!ns.adapter_digest().empty()) {
    CAIRN_RETURN_IF_ERROR(CheckDigest("adapter_digest", ns.adapter_digest()));
  }
  CAIRN_RETURN_IF_ERROR(CheckText("kv_dtype", ns.kv_dtype()));
  CAIRN_RETURN_IF_ERROR(CheckText("layout", ns.layout()));
  CAIRN_RETURN_IF_ERROR(CheckNumber("tokens_per_block", ns.tokens_per_block(), 1,
                                    std::numeric_limits<uint32_t>::max()));
  CAIRN_RETURN_IF_ERROR(CheckNumber("tensor_parallel_rank", ns.tensor_parallel_rank(), 0,
                                    RankCount(ns.tensor_parallel_size()) - 1));
  CAIRN_RETURN_IF_ERROR(
      CheckNumber("pipeline_rank", ns.pipeline_rank(), 0, RankCount(ns.pipeline_size()) - 1));
  CAIRN_RETURN_IF_ERROR(CheckText("hash_scheme", ns.hash_scheme()));
  return CheckNumber("block_bytes", ns.block_bytes(), kBlockBytesMin, kBlockBytesMax);
}

}  // namespace

absl::StatusOr<NamespaceId> MakeNamespaceId(const v1::Namespace& ns) {
  CAIRN_RETURN_IF_ERROR(CheckNamespace(ns));
  CanonicalForm form;
  form.Append(1, ns.model());
  form.Append(2, ns.model_digest());
  form.Append(3, ns.adapter_digest());
  form.Append(4, ns.kv_dtype());
  form.Append(5, ns.layout());
  form.Append(6, ns.layers());
  form.Append(7, ns.kv_heads());
  form.Append(8, ns.head_size());
  form.Append(9, ns.tokens_per_block());
  form.Append(10, ns.tensor_parallel_rank());
  form.Append(11, RankCount(ns.tensor_parallel_size()));
  form.Append(12, ns.pipeline_rank());
  form.Append(13, RankCount(ns.pipeline_size()));
  form.Append(14, ns.cache_group());
  form.Append(15, ns.hash_scheme());
  form.Append(16, ns.block_bytes());
  return form.Hash();
}

}  // namespace cairn
