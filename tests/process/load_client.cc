// Stores and reads for ever, to be killed: load_client COORDINATOR TENANT_FILE SALT. Descriptor 3
// gets a byte per round.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "tests/process/engine.h"

int main(int argc, char** argv) {
  using cairn::process::Engine;
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
  for (uint64_t round = std::strtoull(argv[3], nullptr, 10) << 16;; ++round) {
    const auto keys = (*engine)->Keys(round, 64);
    (*engine)->Put(keys, absl::Seconds(2));
    (*engine)->Match(keys, absl::Seconds(2));  // the lease is left to whoever buries us
    (*engine)->Get(keys, absl::Seconds(2));
    if (write(3, "r", 1) != 1) return 1;
  }
}
