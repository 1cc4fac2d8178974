// SHA256_CTX is a plain struct that copies by assignment. The EVP interface that replaces it
// allocates at each copy, and a key takes two copies.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "proto/block_key.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>
#include <string_view>

#include "base/check.h"

namespace cairn {
namespace {

constexpr std::string_view kDomain = "cairn.v1.block";
// Every message starts with domain and namespace, filled up with zeros to one block of SHA-256, so
// that the state behind it is computed once.
using MessagePrefix = std::array<std::byte, SHA256_CBLOCK>;
static_assert(kDomain.size() + sizeof(NamespaceId) <= sizeof(MessagePrefix));
static_assert(sizeof(TenantSecret) <= SHA256_CBLOCK, "RFC 2104 would hash a longer secret first");

SHA256_CTX KeyedState(const TenantSecret& secret, std::byte mask) {
  std::array<std::byte, SHA256_CBLOCK> pad;
  pad.fill(mask);
  for (size_t i = 0; i < secret.size(); ++i) pad[i] ^= secret[i];
  SHA256_CTX state;
  CAIRN_CHECK(SHA256_Init(&state) == 1 && SHA256_Update(&state, pad.data(), pad.size()) == 1);
  OPENSSL_cleanse(pad.data(), pad.size());
  return state;
}

MessagePrefix MakePrefix(const NamespaceId& ns) {
  MessagePrefix prefix{};
  std::memcpy(prefix.data(), kDomain.data(), kDomain.size());
  std::memcpy(prefix.data() + kDomain.size(), ns.bytes.data(), ns.bytes.size());
  return prefix;
}

}  // namespace

// HMAC by its definition (RFC 2104): the states behind the two padded secrets.
struct BlockKeyMaker::State {
  SHA256_CTX inner;  // with the message's prefix
  SHA256_CTX outer;

  ~State() {
    OPENSSL_cleanse(&inner, sizeof(inner));
    OPENSSL_cleanse(&outer, sizeof(outer));
  }
};

BlockKeyMaker::BlockKeyMaker(const TenantSecret& secret, const NamespaceId& ns)
    : state_(new State{KeyedState(secret, std::byte{0x36}), KeyedState(secret, std::byte{0x5c})}) {
  const MessagePrefix prefix = MakePrefix(ns);
  CAIRN_CHECK(SHA256_Update(&state_->inner, prefix.data(), prefix.size()) == 1);
}

BlockKeyMaker::~BlockKeyMaker() = default;
BlockKeyMaker::BlockKeyMaker(BlockKeyMaker&&) noexcept = default;
BlockKeyMaker& BlockKeyMaker::operator=(BlockKeyMaker&&) noexcept = default;

BlockKey BlockKeyMaker::Make(absl::Span<const std::byte> block_hash) const {
  CAIRN_CHECK(!block_hash.empty() && block_hash.size() <= kBlockHashBytesMax);
  const auto length = static_cast<unsigned char>(block_hash.size());
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_CTX inner = state_->inner;
  CAIRN_CHECK(SHA256_Update(&inner, &length, sizeof(length)) == 1 &&
              SHA256_Update(&inner, block_hash.data(), block_hash.size()) == 1 &&
              SHA256_Final(digest, &inner) == 1);
  SHA256_CTX outer = state_->outer;
  CAIRN_CHECK(SHA256_Update(&outer, digest, sizeof(digest)) == 1 &&
              SHA256_Final(digest, &outer) == 1);
  BlockKey key;
  static_assert(sizeof(key.bytes) <= sizeof(digest));
  std::memcpy(key.bytes.data(), digest, key.bytes.size());
  return key;
}

}  // namespace cairn
