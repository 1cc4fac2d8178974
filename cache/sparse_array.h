// An array as large as it could ever need to be: reserved address space whose pages cost memory
// only once touched. Zero-initialised.
#ifndef CAIRN_CACHE_SPARSE_ARRAY_H_
#define CAIRN_CACHE_SPARSE_ARRAY_H_

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include "base/status.h"

namespace cairn {

// T: all-zero bytes are a valid T.
template <typename T>
class SparseArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // kResourceExhausted: address space; raise ulimit -v.
  static absl::StatusOr<SparseArray> Create(size_t count) {
    void* mapped = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
      return FromErrno(errno, "reserve the index's address space (ulimit -v?)");
    return SparseArray(static_cast<T*>(mapped), count);
  }
  SparseArray(SparseArray&& other) noexcept
      : items_(std::exchange(other.items_, nullptr)), count_(other.count_) {}
  SparseArray& operator=(SparseArray&&) = delete;
  ~SparseArray() {
    if (items_ != nullptr) munmap(items_, count_ * sizeof(T));
  }

  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }
  size_t size() const { return count_; }
  // Stays valid when the array is moved.
  absl::Span<T> span() { return {items_, count_}; }

 private:
  SparseArray(T* items, size_t count) : items_(items), count_(count) {}
  T* items_;
  size_t count_;
};

}  // namespace cairn

#endif  // CAIRN_CACHE_SPARSE_ARRAY_H_
