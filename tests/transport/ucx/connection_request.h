// What a UCX client writes first, for plain sockets that stand for one.
#ifndef CAIRN_TESTS_TRANSPORT_UCX_CONNECTION_REQUEST_H_
#define CAIRN_TESTS_TRANSPORT_UCX_CONNECTION_REQUEST_H_

#include <cstdint>
#include <string>

#include <absl/strings/str_cat.h>

namespace cairn {

template <typename T>
std::string Bytes(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

// As UCX 1.13 writes it, docs/transports.md; `rest` stands for the addresses.
inline std::string ConnectionRequest(uint64_t client_id, const std::string& rest = "addresses",
                                     uint64_t length_error = 0) {
  const std::string content =
      absl::StrCat(Bytes(uint64_t{42}), std::string("\1\0\0\x40", 4), Bytes(client_id), rest);
  return absl::StrCat(Bytes(content.size() + length_error), std::string(8, '\0'), content);
}

}  // namespace cairn

#endif  // CAIRN_TESTS_TRANSPORT_UCX_CONNECTION_REQUEST_H_
