// Runs every fuzz target over its seeds, and over every truncation and every byte of them changed:
// the fuzzers' properties hold with each compiler, and no seed folder is missing.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fuzz/fuzz_target.h"

namespace cairn {
namespace {

std::vector<std::byte> ReadSeed(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::byte> seed;
  std::transform(std::istreambuf_iterator<char>(file), {}, std::back_inserter(seed),
                 [](char byte) { return static_cast<std::byte>(byte); });
  return seed;
}

// On the heap at its exact size, for AddressSanitizer.
void Run(FuzzBody body, const std::vector<std::byte>& input, size_t size) {
  const auto copy = std::make_unique<std::byte[]>(size);
  std::copy_n(input.begin(), size, copy.get());
  body({copy.get(), size});
}

void RunNeighbours(FuzzBody body, std::vector<std::byte> seed) {
  for (size_t size = 0; size <= seed.size(); ++size) Run(body, seed, size);
  for (std::byte& byte : seed) {
    const std::byte original = byte;
    for (const std::byte changed : {std::byte{0}, original ^ std::byte{1}, std::byte{0xff}}) {
      byte = changed;
      Run(body, seed, seed.size());
    }
    byte = original;
  }
}

TEST(FuzzCorpus, EveryTargetHoldsOnAndAroundItsSeeds) {
  size_t targets = 0;
  for (const FuzzTarget* target = FuzzTarget::First(); target; target = target->next()) {
    const auto folder = std::filesystem::path(CAIRN_FUZZ_CORPUS) / target->name();
    ASSERT_TRUE(std::filesystem::is_directory(folder)) << folder;
    size_t seeds = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      SCOPED_TRACE(entry.path().string());
      RunNeighbours(target->body(), ReadSeed(entry.path()));
      ++seeds;
    }
    EXPECT_GE(seeds, 2u) << target->name();
    ++targets;
  }
  EXPECT_EQ(targets, CAIRN_FUZZ_TARGETS);
}

}  // namespace
}  // namespace cairn
