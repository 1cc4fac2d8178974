// The cairn program.
#include <cstdlib>
#include <cstring>

#include "server/cli/program.h"

extern char** environ;

namespace {

cairn::Environment ReadEnvironment() {
  cairn::Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    if (equals != nullptr)
      environment[std::string(static_cast<const char*>(*entry), equals)] = equals + 1;
  }
  return environment;
}

}  // namespace

int main(int argc, char** argv) {
  // gRPC writes its own lines beside our messages, which say the same in words.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return cairn::RunProgram({argv + 1, argv + argc}, ReadEnvironment());
}
