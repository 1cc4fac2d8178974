// Stores and reads until it is killed: load_client COORDINATOR TENANT_FILE SALT. Descriptor 3 gets
// a byte per round. Ends by itself, with code 1, at a wrong byte, a late answer or a closed
// descriptor.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "tests/process/engine.h"

constexpr uint64_t kSets = 16;  // of blocks, 4 MiB each: too few to evict a test's own

int main(int argc, char** argv) {
  using cairn::process::Engine, cairn::process::Outcome;
  if (argc != 4) return 2;
  cairn::SetLog(cairn::LogLevel::kError, cairn::LogFormat::kKeyValue);
  cairn::process::EngineOptions options;
  options.coordinator = argv[1];
  options.tenant = *cairn::ReadTenantFile(argv[2], cairn::RealDisk());
  const auto engine = Engine::Connect(options);
  if (!engine.ok()) {
    std::fprintf(stderr, "%s\n", engine.status().ToString().c_str());
    return 1;
  }
  auto lease = cairn::LeaseId::kNone;
  const uint64_t salt = std::strtoull(argv[3], nullptr, 10) << 16;
  for (uint64_t round = 0;; ++round) {
    const auto keys = (*engine)->Keys(salt | round % kSets, 64);
    const Outcome put = (*engine)->Put(keys, absl::Seconds(2));
    // There is always one lease, for whoever buries us.
    if (lease != cairn::LeaseId::kNone) (*engine)->client().Release(lease);
    lease = (*engine)->Match(keys, absl::Seconds(2)).lease;
    const Outcome got = (*engine)->Get(keys, absl::Seconds(2));
    if (put.late + got.late + got.wrong_bytes > 0 || write(3, "r", 1) != 1) return 1;
  }
}
