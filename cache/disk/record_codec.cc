#include "cache/disk/record_codec.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <cstring>
#include <string>

#include "base/check.h"
#include "base/handle.h"
#include "proto/checksum.h"
#include "proto/little_endian.h"

namespace cairn {
namespace {

using log_format::Entry;
using log_format::kCipherTagBytes;

using CipherContext = Handle<EVP_CIPHER_CTX*, EVP_CIPHER_CTX_free, nullptr>;
using Cipher = Handle<EVP_CIPHER*, EVP_CIPHER_free, nullptr>;
using DeriveContext = Handle<EVP_PKEY_CTX*, EVP_PKEY_CTX_free, nullptr>;

constexpr char kInfo[] = "cairn.v1.record";

const unsigned char* Bytes(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* Bytes(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

struct Nonce {
  U64Le generation;
  U32Le sector;
};
static_assert(sizeof(Nonce) == 12);

// What the tag covers besides the payload.
struct Associated {
  BlockKey key;
  NamespaceId ns;
  U32Le tenant;
  U32Le length;
};
static_assert(sizeof(Associated) == 40);

}  // namespace

struct RecordCodec::Gcm {
  CipherContext context{EVP_CIPHER_CTX_new()};
  // Fetched once: EVP_aes_256_gcm() would look it up for each record.
  Cipher cipher{EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)};

  // Both directions: the mode differs by `encrypt`.
  void Begin(bool encrypt, const DiskKey& key, const RecordPlace& place, const Entry& entry) {
    const Nonce nonce{place.generation, place.sector};
    const Associated associated{entry.key, entry.ns, entry.tenant, entry.length};
    int bytes = 0;
    CAIRN_CHECK(EVP_CipherInit_ex(context.get(), cipher.get(), nullptr, Bytes(key.data()),
                                  reinterpret_cast<const unsigned char*>(&nonce),
                                  encrypt ? 1 : 0) == 1);
    CAIRN_CHECK(EVP_CipherUpdate(context.get(), nullptr, &bytes,
                                 reinterpret_cast<const unsigned char*>(&associated),
                                 sizeof(associated)) == 1);
  }
  void Move(const std::byte* from, std::byte* to, uint32_t length) {
    int bytes = 0;
    CAIRN_CHECK(EVP_CipherUpdate(context.get(), Bytes(to), &bytes, Bytes(from),
                                 static_cast<int>(length)) == 1);
  }
};

RecordCodec::RecordCodec(const std::optional<DiskKey>& key)
    : key_(key), gcm_(std::make_unique<Gcm>()) {}
RecordCodec::~RecordCodec() = default;

const DiskKey& RecordCodec::KeyOf(const log_format::LogId& log, uint32_t tenant) {
  const auto [found, inserted] = derived_.try_emplace({log, tenant});
  if (!inserted) return found->second;
  std::string info(kInfo);
  const U32Le number = tenant;
  info.append(reinterpret_cast<const char*>(&number), sizeof(number));
  const DeriveContext derive(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  size_t length = found->second.size();
  const bool derived =
      derive && EVP_PKEY_derive_init(derive.get()) == 1 &&
      EVP_PKEY_CTX_set_hkdf_md(derive.get(), EVP_sha256()) == 1 &&
      EVP_PKEY_CTX_set1_hkdf_salt(derive.get(), Bytes(log.bytes.data()),
                                  static_cast<int>(log.bytes.size())) == 1 &&
      EVP_PKEY_CTX_set1_hkdf_key(derive.get(), Bytes(key_->data()),
                                 static_cast<int>(key_->size())) == 1 &&
      EVP_PKEY_CTX_add1_hkdf_info(derive.get(), reinterpret_cast<const unsigned char*>(info.data()),
                                  static_cast<int>(info.size())) == 1 &&
      EVP_PKEY_derive(derive.get(), Bytes(found->second.data()), &length) == 1;
  CAIRN_CHECK(derived && length == found->second.size());
  return found->second;
}

void RecordCodec::Encode(const Entry& entry, const RecordPlace& place,
                         absl::Span<const std::byte> payload, absl::Span<std::byte> stored) {
  CAIRN_CHECK(entry.cipher == cipher() && payload.size() == entry.length);
  CAIRN_CHECK(stored.size() == entry.stored_bytes());
  if (entry.cipher == log_format::kCipherNone) {
    std::memcpy(stored.data(), payload.data(), payload.size());
    return;
  }
  gcm_->Begin(/*encrypt=*/true, KeyOf(place.log, entry.tenant), place, entry);
  gcm_->Move(payload.data(), stored.data(), entry.length);
  int bytes = 0;
  unsigned char none;
  CAIRN_CHECK(EVP_CipherFinal_ex(gcm_->context.get(), &none, &bytes) == 1);
  CAIRN_CHECK(EVP_CIPHER_CTX_ctrl(gcm_->context.get(), EVP_CTRL_GCM_GET_TAG, kCipherTagBytes,
                                  stored.data() + entry.length) == 1);
}

bool RecordCodec::Decode(const Entry& entry, const RecordPlace& place,
                         absl::Span<std::byte> stored) {
  CAIRN_CHECK(stored.size() == entry.stored_bytes());
  if (entry.cipher == log_format::kCipherNone) return true;
  if (!key_.has_value()) return false;
  gcm_->Begin(/*encrypt=*/false, KeyOf(place.log, entry.tenant), place, entry);
  gcm_->Move(stored.data(), stored.data(), entry.length);
  CAIRN_CHECK(EVP_CIPHER_CTX_ctrl(gcm_->context.get(), EVP_CTRL_GCM_SET_TAG, kCipherTagBytes,
                                  stored.data() + entry.length) == 1);
  int bytes = 0;
  unsigned char none;
  return EVP_CipherFinal_ex(gcm_->context.get(), &none, &bytes) == 1;
}

bool RecordCodec::Verify(const Entry& entry, const LogGeometry& geometry, uint64_t generation,
                         uint32_t /*segment*/, absl::Span<std::byte> stored) {
  return Decode(entry, {geometry.log, generation, entry.sector}, stored) &&
         MakeChecksum(entry.key, entry.ns, stored.first(entry.length)) == entry.checksum;
}

}  // namespace cairn
