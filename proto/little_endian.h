// Integers of fixed little-endian layout and alignment 1, for structs that cross a wire or a disk.
#ifndef CAIRN_PROTO_LITTLE_ENDIAN_H_
#define CAIRN_PROTO_LITTLE_ENDIAN_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cairn {

template <typename T>
class LittleEndian {
 public:
  LittleEndian() = default;
  LittleEndian(T value) {
    Set(value);
  }  // NOLINT(google-explicit-constructor): reads as the integer
  operator T() const { return Get(); }  // NOLINT(google-explicit-constructor)
  LittleEndian& operator=(T value) {
    Set(value);
    return *this;
  }

 private:
  static T Swap(T value) {
    if constexpr (std::endian::native == std::endian::little) return value;
    T swapped{};
    for (size_t i = 0; i < sizeof(T); ++i) {
      reinterpret_cast<unsigned char*>(&swapped)[i] =
          reinterpret_cast<unsigned char*>(&value)[sizeof(T) - 1 - i];
    }
    return swapped;
  }
  T Get() const {
    T value;
    std::memcpy(&value, bytes_, sizeof(T));
    return Swap(value);
  }
  void Set(T value) {
    value = Swap(value);
    std::memcpy(bytes_, &value, sizeof(T));
  }

  unsigned char bytes_[sizeof(T)] = {};
};

using U16Le = LittleEndian<uint16_t>;
using U32Le = LittleEndian<uint32_t>;
using U64Le = LittleEndian<uint64_t>;
static_assert(sizeof(U64Le) == 8 && alignof(U64Le) == 1);

}  // namespace cairn

#endif  // CAIRN_PROTO_LITTLE_ENDIAN_H_
