#include "transport/ucx/send_guard.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cairn {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kJumpSlot = R_X86_64_JUMP_SLOT;
constexpr uint32_t kDataSlot = R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
constexpr uint32_t kJumpSlot = R_AARCH64_JUMP_SLOT;
constexpr uint32_t kDataSlot = R_AARCH64_GLOB_DAT;
#else
#error "which relocations call a function of another library?"
#endif

ssize_t Send(int descriptor, const void* bytes, size_t size, int flags) {
  const ssize_t sent = send(descriptor, bytes, size, flags);
  return TellOfSend(descriptor, sent, errno);
}

ssize_t SendMessage(int descriptor, const msghdr* message, int flags) {
  const ssize_t sent = sendmsg(descriptor, message, flags);
  return TellOfSend(descriptor, sent, errno);
}

// The loader tells addresses as integers.
template <typename T>
T* At(uintptr_t address) {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr)
}

uintptr_t ReplacementOf(std::string_view symbol) {
  if (symbol == "send") return reinterpret_cast<uintptr_t>(&Send);
  if (symbol == "sendmsg") return reinterpret_cast<uintptr_t>(&SendMessage);
  return 0;
}

// What a loaded library's dynamic section names.
struct Tables {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  const ElfW(Rela) * calls = nullptr;
  size_t calls_bytes = 0;
  const ElfW(Rela) * data = nullptr;
  size_t data_bytes = 0;
};

Tables TablesOf(const dl_phdr_info& library) {
  Tables tables;
  for (int i = 0; i < library.dlpi_phnum; ++i) {
    if (library.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry = At<const ElfW(Dyn)>(library.dlpi_addr + library.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      const auto address = static_cast<uintptr_t>(entry->d_un.d_ptr);  // glibc has relocated it
      if (entry->d_tag == DT_SYMTAB) tables.symbols = At<const ElfW(Sym)>(address);
      if (entry->d_tag == DT_STRTAB) tables.names = At<const char>(address);
      if (entry->d_tag == DT_JMPREL) tables.calls = At<const ElfW(Rela)>(address);
      if (entry->d_tag == DT_PLTRELSZ) tables.calls_bytes = entry->d_un.d_val;
      if (entry->d_tag == DT_RELA) tables.data = At<const ElfW(Rela)>(address);
      if (entry->d_tag == DT_RELASZ) tables.data_bytes = entry->d_un.d_val;
    }
  }
  return tables;
}

bool Replace(uintptr_t slot_address, uintptr_t function) {
  const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  void* const page = At<void>(slot_address & ~(page_bytes - 1));
  if (mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0) return false;
  __atomic_store_n(At<uintptr_t>(slot_address), function, __ATOMIC_RELAXED);
  return true;
}

// How many slots now hold a function of ours.
int ReplaceAll(const dl_phdr_info& library, const Tables& tables, const ElfW(Rela) * relocations,
               size_t bytes) {
  int replaced = 0;
  for (size_t i = 0; i < bytes / sizeof(ElfW(Rela)); ++i) {
    const auto type = static_cast<uint32_t>(ELF64_R_TYPE(relocations[i].r_info));
    if (type != kJumpSlot && type != kDataSlot) continue;
    const ElfW(Sym) & symbol = tables.symbols[ELF64_R_SYM(relocations[i].r_info)];
    const uintptr_t function = ReplacementOf(tables.names + symbol.st_name);
    if (function != 0 && Replace(library.dlpi_addr + relocations[i].r_offset, function)) ++replaced;
  }
  return replaced;
}

int GuardIfUcs(dl_phdr_info* library, size_t, void* replaced) {
  if (std::strstr(library->dlpi_name, "/libucs.so") == nullptr) return 0;
  const Tables tables = TablesOf(*library);
  if (tables.symbols == nullptr || tables.names == nullptr) return 1;
  *static_cast<int*>(replaced) = ReplaceAll(*library, tables, tables.calls, tables.calls_bytes) +
                                 ReplaceAll(*library, tables, tables.data, tables.data_bytes);
  return 1;
}

thread_local bool truthful = false;

bool IsGone(int error) {
  return error == EPIPE || error == ECONNRESET || error == ETIMEDOUT || error == ENOTCONN;
}

}  // namespace

ssize_t TellOfSend(int descriptor, ssize_t sent, int error) {
  thread_local int refused = -1;
  thread_local int refusals = 0;
  if (sent >= 0 || !IsGone(error) || truthful) {
    if (descriptor == refused) refused = -1;
    errno = error;
    return sent;
  }
  if (descriptor != refused) refusals = 0;
  refused = descriptor;
  errno = ++refusals > kSendRefusalsMax ? error : EAGAIN;
  return sent;
}

TruthfulSends::TruthfulSends() { truthful = true; }
TruthfulSends::~TruthfulSends() { truthful = false; }

absl::Status GuardUcxSends() {
  static const int replaced = [] {
    int slots = 0;
    dl_iterate_phdr(&GuardIfUcs, &slots);
    return slots;
  }();
  if (replaced > 0) return absl::OkStatus();
  return absl::NotFoundError("ucx: libucs does not send by libc's send and sendmsg");
}

}  // namespace cairn
