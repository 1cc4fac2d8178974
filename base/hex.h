// Bytes as lower-case hexadecimal text: identities in logs, flags and files.
#ifndef CAIRN_BASE_HEX_H_
#define CAIRN_BASE_HEX_H_

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/types/span.h>

namespace cairn {

// Two digits per byte, no prefix.
std::string HexEncode(absl::Span<const std::byte> bytes);

// Fills `out` whole; takes both cases. kInvalidArgument: not exactly two digits per byte of `out`,
// or a character that is no digit; `out` is then unspecified. The message does not repeat the text,
// which may be a secret.
absl::Status HexDecode(std::string_view text, absl::Span<std::byte> out);

}  // namespace cairn

#endif  // CAIRN_BASE_HEX_H_
