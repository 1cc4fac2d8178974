// Bounded queue from one thread to one other: how reactors, control threads and clients hand work
// over. Lock-free and wait-free; nothing allocates after construction. A full ring refuses, so that
// back-pressure reaches the producer.
#ifndef CAIRN_BASE_SPSC_RING_H_
#define CAIRN_BASE_SPSC_RING_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <absl/types/span.h>

#include "base/check.h"

namespace cairn {

// Two cores that write to one line slow each other down; x86 prefetches lines in pairs.
inline constexpr size_t kCacheLinePairBytes = 128;

// T: move-constructible, and move-assignable for the pops. Exactly one thread pushes and exactly
// one thread pops; construction and destruction happen while neither does.
template <typename T>
class SpscRing {
 public:
  // capacity: power of two.
  explicit SpscRing(size_t capacity) : mask_(capacity - 1), slots_(new Slot[capacity]) {
    CAIRN_CHECK(std::has_single_bit(capacity));
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;
  ~SpscRing() {
    while (TryPop().has_value()) {
    }
  }

  // Producer. False: full, and `value` is untouched.
  [[nodiscard]] bool TryPush(T&& value) {
    const size_t tail = producer_.tail.load(std::memory_order_relaxed);
    if (tail - producer_.head_seen > mask_) {
      producer_.head_seen = consumer_.head.load(std::memory_order_acquire);
      if (tail - producer_.head_seen > mask_) return false;
    }
    std::construct_at(&slots_[tail & mask_].value, std::move(value));
    producer_.tail.store(tail + 1, std::memory_order_release);
    return true;
  }
  [[nodiscard]] bool TryPush(const T& value) { return TryPush(T(value)); }

  // Consumer. Empty: nothing is queued.
  std::optional<T> TryPop() {
    const size_t head = consumer_.head.load(std::memory_order_relaxed);
    if (Available(head) == 0) return std::nullopt;
    std::optional<T> value(Take(head));
    consumer_.head.store(head + 1, std::memory_order_release);
    return value;
  }

  // Consumer. Moves the oldest elements, at most out.size(), into out and returns their number. One
  // store for the whole batch.
  size_t PopBatch(absl::Span<T> out) {
    const size_t head = consumer_.head.load(std::memory_order_relaxed);
    const size_t count = std::min(Available(head), out.size());
    for (size_t i = 0; i < count; ++i) out[i] = Take(head + i);
    consumer_.head.store(head + count, std::memory_order_release);
    return count;
  }

  size_t capacity() const { return mask_ + 1; }

 private:
  union Slot {
    Slot() {}
    ~Slot() {}
    T value;
  };

  // The producer's index is read again only when the elements seen before are used up.
  size_t Available(size_t head) {
    if (consumer_.tail_seen == head) {
      consumer_.tail_seen = producer_.tail.load(std::memory_order_acquire);
    }
    return consumer_.tail_seen - head;
  }

  T Take(size_t index) {
    T& value = slots_[index & mask_].value;
    T taken = std::move(value);
    std::destroy_at(&value);
    return taken;
  }

  // Indices only grow; their distance is right across the wrap of size_t.
  struct alignas(kCacheLinePairBytes) Producer {
    std::atomic<size_t> tail = 0;
    size_t head_seen = 0;
  };
  struct alignas(kCacheLinePairBytes) Consumer {
    std::atomic<size_t> head = 0;
    size_t tail_seen = 0;
  };

  const size_t mask_;
  const std::unique_ptr<Slot[]> slots_;
  Producer producer_;
  Consumer consumer_;
};

}  // namespace cairn

#endif  // CAIRN_BASE_SPSC_RING_H_
