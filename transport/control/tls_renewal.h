// Certificates of a process that outlives them: what replaces their files is taken up, what is
// broken is not.
#ifndef CAIRN_TRANSPORT_CONTROL_TLS_RENEWAL_H_
#define CAIRN_TRANSPORT_CONTROL_TLS_RENEWAL_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/cond_var.h"
#include "base/mutex.h"
#include "transport/control/tls.h"

namespace cairn {

// Thread-safe, except that one thread at a time looks.
class TlsRenewal {
 public:
  // Reads and checks the files; its message names what is wrong with which.
  using Read = std::function<absl::StatusOr<TlsTexts>()>;

  // What the files hold now; else what read says of them.
  static absl::StatusOr<std::unique_ptr<TlsRenewal>> Create(Read read);

  // The newest that fit together; the same object until they change. Never waits for a disk.
  std::shared_ptr<const TlsTexts> texts() const;
  // Reads the files. A change counts when two looks in a row saw it: files that are being written,
  // and a certificate whose key has yet to come, are neither taken nor worth a word. What stays
  // broken is logged once, and the old texts stay.
  void Look();

 private:
  TlsRenewal(Read read, TlsTexts texts);

  const Read read_;
  absl::StatusOr<TlsTexts> last_seen_;
  std::string complaint_;  // the last one that was logged; empty since all was well
  mutable Mutex mutex_;
  std::shared_ptr<const TlsTexts> texts_ ABSL_GUARDED_BY(mutex_);
};

// A thread that looks, until destroyed.
class TlsWatch {
 public:
  // A change is in use within twice that.
  static constexpr absl::Duration kInterval = absl::Seconds(5);

  explicit TlsWatch(TlsRenewal& renewal);
  ~TlsWatch();

 private:
  void LookUntilStopped();

  TlsRenewal& renewal_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cairn

#endif  // CAIRN_TRANSPORT_CONTROL_TLS_RENEWAL_H_
