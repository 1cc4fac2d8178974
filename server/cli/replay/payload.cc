#include "server/cli/replay/payload.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace cairn {
namespace {

constexpr size_t kPieceWords = 512;
using Piece = std::array<uint64_t, kPieceWords>;

// Word i of a block: a multiply-xorshift of its place, keyed. No word depends on another, so the
// compiler uses vectors.
void MakePiece(const BlockKey& key, uint64_t first_word, Piece& piece) {
  const uint64_t seed = key.Word(0);
  const uint64_t stride = key.Word(1) | 1;
  for (size_t i = 0; i < kPieceWords; ++i) {
    uint64_t word = seed + (first_word + i) * stride;
    word ^= word >> 29;
    word += word << 17;
    piece[i] = word ^ (word >> 32);
  }
}

}  // namespace

void FillPayload(const BlockKey& key, absl::Span<std::byte> out) {
  Piece piece;
  for (uint64_t word = 0; !out.empty(); word += kPieceWords) {
    MakePiece(key, word, piece);
    const size_t bytes = std::min(out.size(), sizeof(piece));
    std::memcpy(out.data(), piece.data(), bytes);
    out.remove_prefix(bytes);
  }
}

uint64_t CountWrongBytes(const BlockKey& key, absl::Span<const std::byte> bytes) {
  Piece piece;
  uint64_t wrong = 0;
  for (uint64_t word = 0; !bytes.empty(); word += kPieceWords) {
    MakePiece(key, word, piece);
    const auto* expected = reinterpret_cast<const std::byte*>(piece.data());
    const size_t size = std::min(bytes.size(), sizeof(piece));
    if (std::memcmp(bytes.data(), expected, size) != 0) {
      for (size_t i = 0; i < size; ++i) wrong += bytes[i] != expected[i] ? 1 : 0;
    }
    bytes.remove_prefix(size);
  }
  return wrong;
}

}  // namespace cairn
