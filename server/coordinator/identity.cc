#include "server/coordinator/identity.h"

#include <array>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/hex.h"
#include "base/status.h"

namespace cairn {
namespace {

absl::StatusOr<std::string> LoadOrCreateAdmin(const std::string& path, Runtime& runtime) {
  absl::StatusOr<std::string> text = runtime.disk.ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    std::array<std::byte, 32> secret;
    runtime.random.Fill(absl::MakeSpan(secret));
    text = HexEncode(secret) + "\n";
    CAIRN_RETURN_IF_ERROR(runtime.disk.WriteFileAtomically(path, *text, 0600));
  }
  CAIRN_RETURN_IF_ERROR(text.status());
  while (!text->empty() && text->back() == '\n') text->pop_back();
  if (text->size() != 64) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": not 64 hexadecimal digits; restore the file, or remove it to make a new one"));
  }
  return text;
}

}  // namespace

absl::StatusOr<CoordinatorIdentity> LoadOrCreateIdentity(const std::string& state_folder,
                                                         Registry& registry, Runtime& runtime) {
  CAIRN_ASSIGN_OR_RETURN(
      TokenSigner signer,
      TokenSigner::LoadOrCreate(state_folder + "/token_key", runtime.disk, runtime.random));
  CAIRN_ASSIGN_OR_RETURN(std::string admin, LoadOrCreateAdmin(state_folder + "/admin", runtime));
  CAIRN_ASSIGN_OR_RETURN(const ClusterId cluster, registry.cluster_id());
  return CoordinatorIdentity{std::move(signer), std::move(admin), cluster};
}

}  // namespace cairn
