// Move-only owner of one foreign handle (descriptor, UCX object, OpenSSL object, mapping).
//   using FileDescriptor = Handle<int, CloseFileDescriptor, -1>;
#ifndef CAIRN_BASE_HANDLE_H_
#define CAIRN_BASE_HANDLE_H_

#include <utility>

namespace cairn {

// T: the handle, cheap to copy. kDestroy: called once, with a handle that is not kNull.
template <typename T, auto kDestroy, T kNull = T{}>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T handle) : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(other.Release()) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { Reset(); }

  T get() const { return handle_; }
  explicit operator bool() const { return handle_ != kNull; }
  // The caller owns the result.
  [[nodiscard]] T Release() { return std::exchange(handle_, kNull); }
  // Destroys the present handle, then owns `handle`.
  void Reset(T handle = kNull) {
    T old = std::exchange(handle_, handle);
    if (old != kNull) static_cast<void>(kDestroy(old));
  }

 private:
  T handle_ = kNull;
};

// close(2); its error has no remedy and is not reported.
void CloseFileDescriptor(int descriptor);
using FileDescriptor = Handle<int, CloseFileDescriptor, -1>;

}  // namespace cairn

#endif  // CAIRN_BASE_HANDLE_H_
