#include "server/node/identity.h"

#include <vector>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "base/hex.h"
#include "base/status.h"

namespace cairn {
namespace {

constexpr char kFormat[] = "cairn-node-v1";

absl::StatusOr<NodeIdentity> Parse(const std::string& path, const std::string& text) {
  const std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  NodeIdentity identity;
  if (words.size() != 3 || words[0] != kFormat ||
      !HexDecode(words[1], absl::MakeSpan(identity.id.bytes)).ok() ||
      !absl::SimpleAtoi(words[2], &identity.incarnation) || identity.incarnation == UINT64_MAX) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": not a node's identity; restore it, or remove it to join as a new node"));
  }
  return identity;
}

}  // namespace

absl::StatusOr<NodeIdentity> BeginIncarnation(const std::string& folder, Disk& disk,
                                              Random& random) {
  const std::string path = folder + "/identity";
  NodeIdentity identity;
  const absl::StatusOr<std::string> text = disk.ReadFile(path);
  if (text.ok()) {
    CAIRN_ASSIGN_OR_RETURN(identity, Parse(path, *text));
  } else if (absl::IsNotFound(text.status())) {
    random.Fill(absl::MakeSpan(identity.id.bytes));
  } else {
    return text.status();
  }
  ++identity.incarnation;
  CAIRN_RETURN_IF_ERROR(disk.WriteFileAtomically(
      path,
      absl::StrCat(kFormat, " ", HexEncode(identity.id.bytes), " ", identity.incarnation, "\n"),
      0600));
  return identity;
}

}  // namespace cairn
