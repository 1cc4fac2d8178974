// One fuzz target per file: CAIRN_FUZZ_TARGET(name) { ... input ... }. With libFuzzer it is the
// program's entry; without, corpus_test.cc runs it over its seeds with every compiler.
#ifndef CAIRN_TESTS_FUZZ_FUZZ_TARGET_H_
#define CAIRN_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include <absl/types/span.h>

namespace cairn {

// The input ends where its heap block ends. A broken property is a CAIRN_CHECK.
using FuzzBody = void (*)(absl::Span<const std::byte> input);

// All targets of a program that has several, linked before main.
class FuzzTarget {
 public:
  FuzzTarget(const char* target, FuzzBody run) noexcept
      : name_(target), body_(run), next_(std::exchange(First(), this)) {}

  static FuzzTarget*& First() noexcept {
    static FuzzTarget* first = nullptr;
    return first;
  }
  const char* name() const { return name_; }
  FuzzBody body() const { return body_; }
  const FuzzTarget* next() const { return next_; }

 private:
  const char* const name_;
  const FuzzBody body_;
  const FuzzTarget* const next_;
};

// Whether the bytes at `part` lie within `whole`.
inline bool LiesWithin(absl::Span<const std::byte> whole, const void* part, size_t part_bytes) {
  const auto* begin = static_cast<const std::byte*>(part);
  return part_bytes == 0 ||
         (begin >= whole.data() && begin + part_bytes <= whole.data() + whole.size());
}

}  // namespace cairn

#ifdef CAIRN_FUZZ_WITHOUT_LIBFUZZER
#define CAIRN_FUZZ_ENTRY(name) static ::cairn::FuzzTarget name##_target(#name, name);
#else
#define CAIRN_FUZZ_ENTRY(name)                                              \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    name({reinterpret_cast<const std::byte*>(data), size});                 \
    return 0;                                                               \
  }
#endif

#define CAIRN_FUZZ_TARGET(name)                        \
  static void name(absl::Span<const std::byte> input); \
  CAIRN_FUZZ_ENTRY(name)                               \
  static void name(absl::Span<const std::byte> input)

#endif  // CAIRN_TESTS_FUZZ_FUZZ_TARGET_H_
